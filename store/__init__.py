"""Everything that outlives a process: the record (SQL), the blobs and the queue, shared by api and worker."""
