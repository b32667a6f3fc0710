"""The commands of the operator and of the client."""
