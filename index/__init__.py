"""Vectors -> neighbours -> decisions; the only place that imports faiss."""
