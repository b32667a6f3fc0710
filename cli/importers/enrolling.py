"""Enrol labelled pictures at a service in requests of limited size, and count the outcomes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from cli.client import Client, Json
from cli.importers.labelled import Found, LabelledPicture, Unusable
from core.collections import Labels
from core.errors import ExemplarError, error_of

AT_ONCE = 64
OF_A_PICTURE = ("picture_", "label_", "labels_", "item_", "body_too")
BYTES_AT_ONCE = 12 << 20  # base64 adds a third

Batch = list[tuple[str, Json]]


@dataclass(slots=True)
class Tally:
    """Outcomes of enrolled pictures."""

    enrolled: int = 0
    repeated: int = 0
    failed: int = 0


def enroll_found(
    client: Client, collection: str, found: Found, tally: Tally, labels: Labels
) -> Iterator[tuple[str, ExemplarError]]:
    """Enrol pictures; yield the places and errors of those that failed, and count all outcomes.

    `labels` is how many a picture of the collection has.
    """
    batch: Batch = []
    size = 0
    for one in found:
        item = one.error if isinstance(one, Unusable) else _item(one, labels)
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


def refusal(one: LabelledPicture, labels: Labels) -> ExemplarError | None:
    """Return why a picture's labels are not those of a collection with so many labels a picture."""
    number = len(one.labels)
    if labels is Labels.ONE and number != 1:
        hint = one.hint or ("several need --labels many" if number else "")
        expected = f"expected one label for the whole picture, got {number}"
        return ExemplarError("label_missing", "; ".join(filter(None, (expected, hint))))
    if number == 0 and not one.complete:
        return ExemplarError("label_missing", "expected a label, got none")
    return None


def _item(one: LabelledPicture, labels: Labels) -> Json | ExemplarError:
    wrong = refusal(one, labels)
    if wrong is not None:
        return wrong
    try:
        content = one.read()
    except ExemplarError as error:
        return error
    item: Json = {"image": {"base64": base64.b64encode(content).decode()}}
    if labels is Labels.ONE:
        item["label"] = one.labels[0]
    else:
        item |= {"labels": list(one.labels), "complete": one.complete}
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
        if len(batch) > 1 or not error.code.startswith(OF_A_PICTURE):
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
