"""`exemplar watch`: tags what arrives in folders and buckets, on and on."""
