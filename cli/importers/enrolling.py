"""Enrol labelled pictures at a service in requests of limited size, and count the outcomes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from cli.client import Client, Json
from cli.importers.labelled import Found, LabelledPicture, Unusable
from core.errors import ExemplarError, error_of

AT_ONCE = 64
BYTES_AT_ONCE = 12 << 20  # base64 adds a third

Batch = list[tuple[str, Json]]


@dataclass(slots=True)
class Tally:
    """Outcomes of enrolled pictures."""

    enrolled: int = 0
    repeated: int = 0
    failed: int = 0


def enroll_found(
    client: Client, collection: str, found: Found, tally: Tally
) -> Iterator[tuple[str, ExemplarError]]:
    """Enrol pictures; yield the places and errors of those that failed, and count all outcomes."""
    batch: Batch = []
    size = 0
    for one in found:
        item = one.error if isinstance(one, Unusable) else _item(one)
        if isinstance(item, ExemplarError):
            tally.failed += 1
            yield one.place, item
            continue
        bytes_ = len(item["image"]["base64"])
        if batch and (len(batch) == AT_ONCE or size + bytes_ > BYTES_AT_ONCE):
            yield from _send(client, collection, batch, tally)
            batch, size = [], 0
        batch.append((one.place, item))
        size += bytes_
    if batch:
        yield from _send(client, collection, batch, tally)


def _item(one: LabelledPicture) -> Json | ExemplarError:
    try:
        content = one.read()
    except ExemplarError as error:
        return error
    item: Json = {"label": one.label, "image": {"base64": base64.b64encode(content).decode()}}
    if one.external_id is not None:
        item["external_id"] = one.external_id
    if one.metadata:
        item["metadata"] = dict(one.metadata)
    return item


def _send(client: Client, collection: str, batch: Batch, tally: Tally) -> Iterator[tuple[str, ExemplarError]]:
    path = f"/v1/collections/{collection}/enroll"
    try:
        job = client.submit_items(path, [item for _, item in batch])
    except ExemplarError as error:
        if len(batch) > 1 or not error.code.startswith(("picture_", "label_", "item_", "body_too")):
            raise
        tally.failed += 1
        yield batch[0][0], error
        return
    for result in client.results(job):
        if result["status"] == "failed":
            tally.failed += 1
            yield batch[result["item"]][0], error_of(result["error"])
        elif result["duplicate_of"] == result["support_id"]:
            tally.repeated += 1
        else:
            tally.enrolled += 1
