"""The worker process: wake-ups in, settled chunks out."""
