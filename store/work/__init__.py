"""Jobs and their chunks: submitted, read, fetched, claimed under a lease, settled and delivered."""
