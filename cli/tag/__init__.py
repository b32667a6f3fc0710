"""`exemplar tag`: names for any number of pictures, in a file."""
