"""Calling a running service over HTTP."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from core.errors import ExemplarError, error_of

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
BATCH = 64
BATCH_BYTES = 16 << 20
UPLOAD_S = 900.0  # for the answer to a bulk upload, which is written to disk before it comes

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file, and the class that its folder names."""

    path: Path
    label: str


def find_pictures(root: Path) -> list[Picture]:
    """Return the pictures of a file, a folder, or a folder of folders; a picture's folder is its class."""
    if root.is_file():
        return [_picture(root)]
    if not root.is_dir():
        raise ExemplarError("path_missing", f"expected a file or folder, got {root}")
    paths = sorted(path for path in _walk(root, set()) if path.suffix.lower() in PICTURES)
    return [_picture(path) for path in paths]


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield all files; a class may well be a link to where its photographs are, but no circle is walked."""
    if folder.resolve() in seen:
        return
    seen.add(folder.resolve())
    for path in folder.iterdir():
        if path.is_dir():
            yield from _walk(path, seen)
        elif path.is_file():
            yield path


def _picture(path: Path) -> Picture:
    return Picture(path, path.absolute().parent.name)  # a folder given as `.` has a name too


class Client:
    """A service at a URL; `EXEMPLAR_URL` and `EXEMPLAR_KEY` are the defaults."""

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        self.url = (url or os.environ.get("EXEMPLAR_URL") or "http://127.0.0.1:8000").rstrip("/")
        key = key or os.environ.get("EXEMPLAR_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request; a problem object comes back as the error it describes."""
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ExemplarError(
                "service_unreachable",
                f"no service answers at {self.url} ({error}); start one: exemplar up",
                retry=True,
            ) from error
        if response.is_error:
            raise _error(response)
        return response

    def ensure_collection(self, name: str, **options: Any) -> None:
        """Make a collection unless it is there."""
        try:
            self.call("POST", "/v1/collections", json={"name": name, **options})
        except ExemplarError as error:
            if error.code != "collection_exists":
                raise

    def pages(self, path: str) -> Iterator[Json]:
        """Yield the items of a list, page after page."""
        cursor: str | None = None
        while True:
            parameters = {"limit": 500} | ({} if cursor is None else {"cursor": cursor})
            page = self.call("GET", path, params=parameters).json()
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None or not page["items"]:
                return

    def submit(self, path: str, files: Sequence[Path], **form: str) -> Json:
        """Send picture files as one job, again later where too much is waiting; return the job."""
        while True:
            parts = [("image", (file.name, file.read_bytes())) for file in files]
            try:
                job: Json = self.call("POST", path, files=parts, data=form).json()
            except ExemplarError as error:
                if error.code != "queue_full":
                    raise
                time.sleep(2)
            else:
                return job

    def submit_bulk(
        self, collection: str, body: Iterator[bytes], media_type: str, key: str, **query: str | int
    ) -> Json:
        """Send one bulk upload as it is read; the same key and bytes give the same job."""
        job: Json = self.call(
            "POST",
            f"/v1/collections/{collection}/bulk",
            params=query,
            content=body,
            headers={"Content-Type": media_type, "Idempotency-Key": key},
            timeout=httpx.Timeout(60, read=UPLOAD_S),
        ).json()
        return job

    def result_page(self, job_id: str, cursor: str | None, *, limit: int) -> Json:
        """Return the results from a cursor on, as far as they stand."""
        parameters = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
        page: Json = self.call("GET", f"/v1/jobs/{job_id}/results", params=parameters).json()
        return page

    def wait(self, job: Json, progress: Callable[[int], None] = lambda _: None) -> Json:
        """Wait for the end of a job, telling how many items are ready."""
        pause_s = 0.05
        while True:
            job = self.call("GET", job["links"]["self"]).json()
            ready = job["progress"]["done"] + job["progress"]["failed"]
            progress(ready)
            if job["finished_at"] is not None:
                return job
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 1.0)

    def results(self, job: Json) -> Iterator[Json]:
        """Yield the results of a job in the order of its items."""
        cursor: str | None = None
        while True:
            page = self.result_page(job["id"], cursor, limit=500)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None or not page["items"]:
                return


def batches(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield picture files in groups that fit one request."""
    group: list[Path] = []
    size = 0
    for path in paths:
        bytes_ = path.stat().st_size
        if group and (len(group) == BATCH or size + bytes_ > BATCH_BYTES):
            yield group
            group, size = [], 0
        group.append(path)
        size += bytes_
    if group:
        yield group


def _error(response: httpx.Response) -> ExemplarError:
    try:
        return error_of(response.json())
    except (ValueError, KeyError):
        return ExemplarError(
            "service_failed",
            f"the service answered {response.status_code}",
            retry=response.status_code >= 500,
        )
