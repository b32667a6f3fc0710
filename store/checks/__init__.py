"""Checks of blobs, record, work and queue, and their repairs."""
