"""All that outlives a process: the record (SQL), the blobs and the queue; api and worker meet only here."""
