"""Figures of the README, each measured by a command that prints JSON lines."""
