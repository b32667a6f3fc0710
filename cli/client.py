"""The service's client as commands use it: JSON in and out, errors as ExemplarError."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import httpx

from cli.sending import content_to_send
from core.errors import ExemplarError
from exemplar_client import Exemplar, Retries, ServiceError
from exemplar_client.requests import Request

BUSY_S = 2.0

Json = dict[str, Any]


class Client:
    """A service at a URL; `EXEMPLAR_URL` and `EXEMPLAR_KEY` are the defaults.

    Calls are not retried: a person sees immediately what is wrong, and `tag` has its own retry loop.
    """

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        with _translated():
            self._service = Exemplar(url, key, retries=Retries(tries=1))
        self.url = self._service.url
        context = click.get_current_context(silent=True)
        if context is not None:
            context.find_root().call_on_close(self._service.close)

    def close(self) -> None:
        """Close the connections; this also happens when the command ends."""
        self._service.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request; raise a problem object as the error it describes."""
        return self._send(Request(method, path, params or {}, headers or {}, json=json))

    def ensure_collection(self, name: str, **options: Any) -> None:
        """Create a collection if it does not exist."""
        with _translated():
            self._service.ensure_collection(name, **options)

    def pages(self, path: str) -> Iterator[Json]:
        """Yield the items of a list, page after page."""
        with _translated():
            for page in self._service.pages(Request("GET", path, {"limit": 500})):
                yield from page["items"]

    def submit(self, path: str, files: Sequence[Path], **form: str) -> Json:
        """Submit picture files as one job, retrying while the queue is full; return the job."""
        parts = [("image", (file.name, content_to_send(file))) for file in files]
        while True:
            try:
                job: Json = self._send(Request("POST", path, files=parts, form=form)).json()
            except ExemplarError as error:
                if error.code != "queue_full":
                    raise
                time.sleep(BUSY_S)
            else:
                return job

    def submit_bulk(
        self, collection: str, body: Iterator[bytes], media_type: str, key: str, **query: str | int
    ) -> Json:
        """Stream one bulk upload; the same key and bytes give the same job."""
        path = f"/v1/collections/{collection}/bulk"
        return self.upload(path, lambda: body, media_type, key, **query)

    def upload(
        self, path: str, parts: Callable[[], Iterator[bytes]], media_type: str, key: str, **query: str | int
    ) -> Json:
        """Stream one large body and return its job; the same key and bytes give the same job."""
        headers = {"Content-Type": media_type, "Idempotency-Key": key}
        job: Json = self._send(Request("POST", path, query, headers, parts=parts)).json()
        return job

    def result_page(self, job_id: str, cursor: str | None, *, limit: int) -> Json:
        """Return the results settled so far, from a cursor on."""
        query = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
        page: Json = self.call("GET", f"/v1/jobs/{job_id}/results", params=query).json()
        return page

    def wait(self, job: Json, progress: Callable[[int], None] = lambda _: None) -> Json:
        """Wait for a job to finish, reporting how many items are ready."""
        with _translated():
            found = self._service.job_of(dict(job)).wait(progress=lambda one: progress(one.done + one.failed))
        return found.model_dump(mode="json")

    def results(self, job: Json) -> Iterator[Json]:
        """Yield the results of a job in the order of its items until the job has ended."""
        with _translated():
            for result in self._service.job_of(dict(job)).results():
                yield result.model_dump(mode="json", exclude_unset=True)

    def parts(self, path: str, media_type: str, **query: str) -> Iterator[bytes]:
        """Yield a response body of this media type in chunks."""
        request = Request("GET", path, query, {"Accept": media_type})
        with _translated(), self._service.streaming(request) as response:
            yield from response.iter_bytes()

    def _send(self, request: Request) -> httpx.Response:
        with _translated():
            return self._service.send(request)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the service's errors as the ExemplarError that every command handles."""
    try:
        yield
    except ServiceError as error:
        detail = error.detail
        if error.code == "service_unreachable":
            detail += "; start one: exemplar up"
        raise ExemplarError(error.code, detail, retry=error.retry) from error
