"""A change of encoder: vectors of the other one, how far it has come, and the switch."""
