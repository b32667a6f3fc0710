"""This service and comparable ones side by side, with the same network, weights and pictures."""
