"""The service's client as commands use it: JSON in and out, errors as ExemplarError."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import click
import httpx

from cli.command_name import command_name
from cli.sending import content_to_send
from core.errors import ExemplarError
from core.near import did_you_mean
from exemplar_client import Exemplar, Retries, ServiceError
from exemplar_client.requests import Request

BUSY_S = 2.0
FEW = 10

Json = dict[str, Any]


class Client:
    """A service at a URL; `EXEMPLAR_URL` and `EXEMPLAR_KEY` are the defaults.

    Calls are not retried: a person sees immediately what is wrong, and `tag` has its own retry loop.
    """

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        with _translate_errors():
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
        with self._translated():
            self._service.ensure_collection(name, **options)

    def pages(self, path: str, **query: str) -> Iterator[Json]:
        """Yield the items of a list, page after page."""
        with self._translated(path):
            for page in self._service.pages(Request("GET", path, {"limit": 500, **query})):
                yield from page["items"]

    def submit(self, path: str, files: Sequence[Path]) -> Json:
        """Submit picture files as one job, retrying while the queue is full; return the job.

        The path may have a query.
        """
        path, _, query = path.partition("?")
        # without their names, which need not be text and which the service does not use
        parts = [("image", (str(n), content_to_send(file))) for n, file in enumerate(files)]
        return self._submit(Request("POST", path, dict(parse_qsl(query)), files=parts))

    def submit_labelled(
        self, path: str, files: Sequence[Path], said: Json, ids: Sequence[str], *, dry_run: bool = False
    ) -> Json:
        """Submit picture files with their external ids, and what is said of all, as one job."""
        items = [
            {**said, "external_id": id_, "image": {"base64": _base64(content_to_send(file))}}
            for file, id_ in zip(files, ids, strict=True)
        ]
        return self.submit_items(path, items, **({"dry_run": "true"} if dry_run else {}))

    def submit_items(self, path: str, items: Sequence[Json], **query: str) -> Json:
        """Submit items as one job, retrying while the queue is full; return the job."""
        return self._submit(Request("POST", path, query, json={"items": items}))

    def _submit(self, request: Request) -> Json:
        while True:
            try:
                job: Json = self._send(request).json()
            except ExemplarError as error:
                if error.code != "queue_full":
                    raise
                time.sleep(BUSY_S)
            else:
                return job

    def upload(
        self, path: str, parts: Callable[[], Iterator[bytes]], media_type: str, key: str, **query: str | int
    ) -> Json:
        """Stream one large body and return its job; the same key and bytes give the same job."""
        headers = {"Content-Type": media_type, "Idempotency-Key": key}
        job: Json = self._send(Request("POST", path, query, headers, parts=parts)).json()
        return job

    def made(self, path: str, **query: Any) -> httpx.Response:
        """Get a resource that a job may have to make first."""
        while True:
            response = self.call("GET", path, params=query, headers={"Prefer": "wait=30"})
            if response.status_code != httpx.codes.ACCEPTED:
                return response
            self.wait(response.json())

    def wait(self, job: Json, progress: Callable[[int], None] = lambda _: None) -> Json:
        """Wait for a job to finish, reporting how many items are ready."""
        with self._translated():
            found = self._service.job_of(dict(job)).wait(progress=lambda one: progress(one.done + one.failed))
        return found.model_dump(mode="json")

    def results(self, job: Json) -> Iterator[Json]:
        """Yield the results of a job in the order of its items until the job has ended."""
        with self._translated():
            for result in self._service.job_of(dict(job)).results():
                yield result.model_dump(mode="json", exclude_unset=True)

    def parts(self, path: str, media_type: str, **query: str) -> Iterator[bytes]:
        """Yield a response body of this media type in chunks."""
        request = Request("GET", path, query, {"Accept": media_type})
        with self._translated(path), self._service.streaming(request) as response:
            yield from response.iter_bytes()

    def _send(self, request: Request) -> httpx.Response:
        with self._translated(request.path):
            return self._service.send(request)

    @contextmanager
    def _translated(self, path: str = "") -> Iterator[None]:
        """Raise errors as `_translate_errors` does, with the names that may have been meant."""
        try:
            with _translate_errors():
                yield
        except ExemplarError as error:
            raise ExemplarError(
                error.code, error.message + self._meant(error.code, path), retry=error.retry
            ) from error

    def _meant(self, code: str, path: str) -> str:
        parts = path.split("/")  # /v1/collections/NAME/classes/LABEL
        if code == "collection_not_found" and parts[2:3] == ["collections"]:
            return self._near("/v1/collections", "name", unquote(parts[3]))
        if code == "class_not_found" and parts[4:5] == ["classes"]:
            return self._near("/".join(parts[:5]), "label", unquote(parts[5]))
        return ""

    def _near(self, path: str, name: str, given: str) -> str:
        """Return the names of a list that are near the given one, or where there are few, all."""
        try:
            there = [one[name] for one in self.pages(path)]
        except ExemplarError:  # the first error is the one to report
            return ""
        near = did_you_mean(given, there)
        return near or (f"; there is {', '.join(there)}" if 0 < len(there) <= FEW else "")


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise the service's errors as the ExemplarError that every command handles."""
    try:
        yield
    except ServiceError as error:
        detail = error.detail
        if error.code == "service_unreachable":
            detail += f"; start one: {command_name()} up"
        if error.code == "key_missing":
            detail = (
                f"the service needs a key: set EXEMPLAR_KEY; `{command_name()} keys create NAME` makes one"
            )
        raise ExemplarError(error.code, detail, retry=error.retry) from error


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
