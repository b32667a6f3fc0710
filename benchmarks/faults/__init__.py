"""Faults put to the real processes of a service, and what they lose, double or delay."""
