"""Change of encoder: the other encoder's vectors, the progress, and the switch."""
