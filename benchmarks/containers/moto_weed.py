#!/usr/bin/env python3
"""Answers the two calls of `weed` in docker-compose.s3.yml: `weed server`, and a bucket by `weed shell`."""

import os
import sys
import time

import s3fs

if sys.argv[1] == "server":
    os.execvp("moto_server", ["moto_server", "-H", "0.0.0.0", "-p", "8333"])
for _ in range(60):
    try:
        store = s3fs.S3FileSystem(
            key="any", secret="any", endpoint_url="http://s3:8333", skip_instance_cache=True
        )
        if not store.exists("exemplar"):
            store.mkdir("exemplar")
        break
    except OSError as error:
        print(error, flush=True)
        time.sleep(1)
else:
    sys.exit(1)
