"""Vectors to neighbours to decisions; the only package that imports faiss."""
