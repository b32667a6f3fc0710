"""Erasure: pictures and all that was made from them, removed for good, with a receipt."""
