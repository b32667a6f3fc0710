"""Sending requests, with retries, and reading what comes back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import httpx
from pydantic import BaseModel

from exemplar_client.address import check_address, is_loopback
from exemplar_client.async_job import AsyncJob
from exemplar_client.errors import ServiceError, error_of_response, unreachable
from exemplar_client.requests import Request
from exemplar_client.retries import Retries

URL = "http://127.0.0.1:8000"
MADE_WAIT = {"Prefer": "wait=30"}
UPLOAD_S = 900.0  # for the answer to a bulk upload, which is written to disk before it comes

M = TypeVar("M", bound=BaseModel)


class AsyncTransport:
    """A service at a URL, as `EXEMPLAR_URL` says where none is given; `EXEMPLAR_KEY` is the key.

    `transport` is for tests and proxies, as httpx takes it. Otherwise the proxies of the environment are used
    (HTTP_PROXY, NO_PROXY and so on), but never for this machine. Raises ServiceError with the code
    `url_invalid` or `proxy_invalid`.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_s: float = 60.0,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = check_address(url or os.environ.get("EXEMPLAR_URL") or URL)
        key = key or os.environ.get("EXEMPLAR_KEY")
        self._retries = retries or Retries()
        try:
            self._http = httpx.AsyncClient(
                base_url=self.url,
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=timeout_s,
                transport=transport,
                trust_env=not is_loopback(self.url),
            )
        except (ImportError, ValueError) as error:
            raise ServiceError(
                "proxy_invalid", f"the proxy of the environment cannot be used: {error}"
            ) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, request: Request, *, stream: bool = False) -> httpx.Response:
        """Send a request, again where that may help; an error is raised as `ServiceError`.

        A response that is to be streamed has to be closed by whoever asked for it.
        """
        tried = 0
        while True:
            tried += 1
            try:
                response = await self._http.send(self._built(request), stream=stream)
            except httpx.RequestError as error:
                failure = unreachable(self.url, error)
            else:
                if not response.is_error:
                    return response
                await response.aread()
                failure = error_of_response(response)
            pause_s = self._retries.pause_s(tried, request, failure)
            if pause_s is None:
                raise failure
            await asyncio.sleep(pause_s)

    @asynccontextmanager
    async def streaming(self, request: Request) -> AsyncIterator[httpx.Response]:
        """Give a response whose body is read as it comes."""
        response = await self.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    def _built(self, request: Request) -> httpx.Request:
        timeout: Any = httpx.USE_CLIENT_DEFAULT
        if request.parts is not None:
            timeout = httpx.Timeout(self._http.timeout.connect, read=UPLOAD_S)
        return self._http.build_request(
            request.method,
            request.path,
            params=request.query,
            headers=request.headers,
            json=request.json,
            content=None if request.parts is None else _each(request.parts()),
            files=request.files,
            data=request.form,
            timeout=timeout,
        )

    async def _json(self, request: Request, model: type[M]) -> M:
        return model.model_validate_json((await self.send(request)).content)

    async def _bytes(self, request: Request) -> bytes:
        return (await self.send(request)).content

    async def _none(self, request: Request) -> None:
        await self.send(request)

    async def _job(self, request: Request) -> AsyncJob:
        return self.job_of((await self.send(request)).json())

    async def _pages(self, request: Request, model: type[M]) -> AsyncIterator[M]:
        async for page in self.pages(request):
            for item in page["items"]:
                yield model.model_validate(item)

    async def _jobs(self, request: Request) -> AsyncIterator[AsyncJob]:
        async for page in self.pages(request):
            for item in page["items"]:
                yield self.job_of(item)

    async def pages(self, request: Request) -> AsyncIterator[dict[str, Any]]:
        """Yield the pages of a list as they come."""
        cursor: str | None = None
        while True:
            query = dict(request.query) if cursor is None else {**request.query, "cursor": cursor}
            asked = Request(request.method, request.path, query, may_repeat=True)
            page = (await self.send(asked)).json()
            yield page
            cursor = page["next_cursor"]
            if cursor is None or not page["items"]:
                return

    async def _parts(self, request: Request) -> AsyncIterator[bytes]:
        async with self.streaming(request) as response:
            async for part in response.aiter_bytes():
                yield part

    async def _made(self, request: Request) -> bytes:
        """Return what a job may have to make first."""
        asked = Request(request.method, request.path, request.query, MADE_WAIT, may_repeat=True)
        while True:
            response = await self.send(asked)
            if response.status_code != httpx.codes.ACCEPTED:
                return response.content
            await self.job_of(response.json()).wait()

    def job_of(self, found: dict[str, Any]) -> AsyncJob:
        """Return a job that came as JSON."""
        results = found.pop("results", None)
        job = AsyncJob.model_validate(found)
        job.belongs_to(cast("Any", self), results)
        return job


async def _each(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
