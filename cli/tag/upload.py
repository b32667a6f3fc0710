"""Bulk uploads of `exemplar tag`, created while they are sent, so that no picture is held in memory."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from threading import Event, Thread

from cli.client import Client, Json
from cli.sending import PART_BYTES, blocks_of, content_to_send, is_sent_as_preview
from cli.tag.batch import Batch
from cli.tag.listing import Kind, Listed
from core.errors import ExemplarError
from formats.names import printable_text
from formats.sink import Sink

LARGE_BYTES = 1 << 31  # above it a zip needs larger fields
MAX_ID = 1024
_STOPPED = ExemplarError("interrupted", "the upload was interrupted", retry=True)


class Uploads:
    """Sends batches, each in a daemon thread."""

    def __init__(self, client: Client, collection: str, top: int, *, smooth: bool) -> None:
        self._client = client
        self._collection = collection
        self._query: dict[str, str | int] = {
            "kind": "classify",
            "top": top,
            **({"smooth": "true"} if smooth else {}),
        }
        self._stopped = Event()

    def start(self, batch: Batch) -> Future[Json]:
        """Start to send a batch; the future gives its job, or raises ExemplarError."""
        future: Future[Json] = Future()
        Thread(target=self._send, args=(batch, future), daemon=True).start()
        return future

    def stop(self) -> None:
        """Abort the uploads in progress."""
        self._stopped.set()

    def _send(self, batch: Batch, future: Future[Json]) -> None:
        try:
            future.set_result(
                self._client.upload(
                    f"/v1/collections/{self._collection}/bulk",
                    partial(self._watched, batch),
                    "application/octet-stream" if batch.is_archive else "application/zip",
                    batch.key,
                    **self._query,
                )
            )
        except Exception as error:  # any error must reach the thread that waits
            future.set_exception(error)

    def _watched(self, batch: Batch) -> Iterator[bytes]:
        pictures = [picture for _, picture in batch.pictures]
        for part in file_parts(pictures[0]) if batch.is_archive else zip_parts(pictures):
            if self._stopped.is_set():
                raise _STOPPED
            yield part


def file_parts(archive: Listed) -> Iterator[bytes]:
    """Yield the bytes of a file; raises `picture_unreadable`."""
    try:
        yield from blocks_of(archive.place)
    except OSError as error:
        raise ExemplarError(
            "picture_unreadable", f"the archive could not be read: {error.strerror}"
        ) from error


def zip_parts(pictures: Sequence[Listed]) -> Iterator[bytes]:
    """Yield the bytes of a zip of pictures and of the manifest that gives their order.

    The same pictures give the same bytes. An unreadable file is missing from it, but the manifest names it,
    so that the n-th result belongs to the n-th picture.
    """
    sink = Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for number, picture in enumerate(pictures):
            if picture.kind is Kind.LOCAL:
                yield from _member(archive, sink, zipfile.ZipInfo(str(number)), picture)
        lines = (json.dumps(_row(number, picture)) + "\n" for number, picture in enumerate(pictures))
        archive.writestr(zipfile.ZipInfo("manifest.jsonl"), "".join(lines))
    yield sink.taken()


def _member(archive: zipfile.ZipFile, sink: Sink, info: zipfile.ZipInfo, picture: Listed) -> Iterator[bytes]:
    try:
        if is_sent_as_preview(picture.place):
            archive.writestr(info, content_to_send(picture.place))
            yield sink.taken()
            return
        with (
            open(picture.place, "rb") as file,
            archive.open(info, "w", force_zip64=picture.size >= LARGE_BYTES) as member,
        ):
            while part := file.read(PART_BYTES):
                member.write(part)
                if sink.size >= PART_BYTES:
                    yield sink.taken()
    except OSError:
        return


def _row(number: int, picture: Listed) -> Json:
    # the name that the job shows; results are matched by their order
    name = printable_text(picture.shown[-MAX_ID:])
    where = {Kind.URL: {"url": picture.place}, Kind.SERVER: {"file": picture.place}}
    return {**where.get(picture.kind, {"path": str(number)}), "custom_id": name}
