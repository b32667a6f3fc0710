"""The operator's and the client's commands."""
