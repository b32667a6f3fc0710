"""`exemplar enroll` of a prefix of object storage: one bulk job, which the service's workers read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from uuid import uuid4

from cli.client import Client, Json
from cli.options import given
from cli.progress import wait_with_bar

Enrolled = tuple[PurePosixPath, Json]
"""The path of an object, and what became of it."""


def enroll_prefix(
    client: Client, collection: str, prefix: str, query: Mapping[str, str | None]
) -> tuple[Json, list[Enrolled]]:
    """Enrol what lies under a prefix, and return the job and the results with the paths of their objects."""
    job: Json = client.call(
        "POST",
        f"/v1/collections/{collection}/bulk",
        json={"prefix": prefix},
        params=given(dict(query)),
        headers={"Idempotency-Key": uuid4().hex},
    ).json()
    wait_with_bar(client, job, "enrolling")
    return job, [(PurePosixPath(one["custom_id"] or prefix), one) for one in client.results(job)]
