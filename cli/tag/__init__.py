"""`exemplar tag`: classify any number of pictures into a file."""
