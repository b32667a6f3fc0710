"""Files of other shapes, read and written: archives, manifests, bundles, CSV and Parquet."""
