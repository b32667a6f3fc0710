"""A real S3 server for tests and benchmarks: moto's, in this process, with a bucket in it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

BUCKET = "exemplar"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def s3_running(address: str = "127.0.0.1") -> Iterator[str]:
    """Run a server on its own port; gives its URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import boto3
        from moto.server import ThreadedMotoServer
        from s3fs import S3FileSystem

        S3FileSystem.clear_instance_cache()  # those of an earlier server know its address only
        server = ThreadedMotoServer(ip_address=address, port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=BUCKET)
    try:
        yield url
    finally:
        server.stop()
        S3FileSystem.clear_instance_cache()  # another server may go on
