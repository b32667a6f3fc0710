"""Jobs and their chunks: accepted, read, fetched, claimed under a lease, settled and delivered."""
