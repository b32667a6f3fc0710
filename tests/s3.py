"""A real S3 server for tests and benchmarks: moto's, in this process, with a bucket in it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

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


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """A real S3 server on its own port; gives its URL."""
    with s3_running() as url:
        yield url


@pytest.fixture
def s3_url(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The fsspec URL of an empty folder on S3; the environment names the server."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}"
