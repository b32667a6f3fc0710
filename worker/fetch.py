"""Fetching of pictures by URL in separate threads, so that slow hosts delay neither encoder nor callers."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from urllib.parse import urljoin

import structlog

from core.errors import ExemplarError, problem_of
from core.jobs import Item, Lane
from core.settings import Settings
from runtime.addresses import Target, check_picture_url
from store.queue.listener import Listener
from store.queue.wake_ups import FETCHES
from store.store import Store
from store.work.fetches import Fetch
from store.work.kinds import folder_of_pictures
from worker.loops import IDLE_S, Loop, LoopPart
from worker.outbound import Reply, send

log = structlog.get_logger("exemplar.worker")

PAUSE_S = 0.2  # between two looks for more chunks while some are being fetched
JOIN_S = 5.0
BULK_CHUNKS = 4  # at a time in the bulk lane; they share the threads
MOST_REDIRECTS = 5
MOST_TRIES = 3
FIRST_PAUSE_S = 0.3  # before the second attempt; doubled before the third
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 425, 429})  # transient statuses, in addition to 500 and above
HEADERS = {"User-Agent": "exemplar", "Accept": "image/*, */*;q=0.1", "Accept-Encoding": "identity"}


class Fetcher(LoopPart):
    """A thread that fetches the pictures of one lane, several chunks at a time, until it is stopped.

    One job gets at most half of the slots, so that its slow hosts do not delay the others.
    """

    def __init__(self, store: Store, settings: Settings, owner: str, lane: Lane) -> None:
        self._store = store
        self._settings = settings
        self._owner = f"{owner}:{lane.value}"
        self._lane = lane
        at_once = settings.fetch_at_once
        # interactive chunks hold one picture
        self._places = at_once if lane is Lane.INTERACTIVE else min(BULK_CHUNKS, at_once)
        self._each = max(at_once // self._places, 1)
        self._chunks = ThreadPoolExecutor(self._places, f"fetch-{lane.value}-chunk")
        self._under_way: dict[Future[None], Fetch] = {}
        self._renewed_at = time.monotonic()
        listener = Listener(settings.redis_url, [FETCHES[lane].queue])
        self._loop = Loop(f"fetch-{lane.value}", self._step, pause_s=IDLE_S, listener=listener)

    def stop(self) -> None:
        """Stop, and release the chunks in progress to other workers."""
        self._loop.stop(join_s=JOIN_S)
        self._chunks.shutdown(wait=False, cancel_futures=True)
        self._store.fetches.release(self._owner)

    def _step(self) -> bool:
        if self.round():
            self._loop.await_call(PAUSE_S)  # until a chunk ends, which makes room
        return bool(self._under_way)

    def round(self) -> int:
        """Start as many chunks as there are free slots; return how many are in progress."""
        self._under_way = {future: fetch for future, fetch in self._under_way.items() if not future.done()}
        if self._under_way and time.monotonic() - self._renewed_at > self._settings.lease_s / 4:
            self._store.fetches.renew(self._owner, [fetch.chunk_id for fetch in self._under_way.values()])
            self._renewed_at = time.monotonic()
        while len(self._under_way) < self._places:
            fetch = self._store.fetches.claim(self._owner, self._lane, exclude_jobs=self._large_jobs())
            if fetch is None:
                break
            future = self._chunks.submit(self._fetch, fetch)
            self._under_way[future] = fetch
            future.add_done_callback(lambda _: self._loop.wake())
        return len(self._under_way)

    def _large_jobs(self) -> set[str]:
        jobs = [fetch.job_id for fetch in self._under_way.values()]
        return {job for job in jobs if jobs.count(job) >= max(self._places // 2, 1)}

    def _fetch(self, fetch: Fetch) -> None:
        try:
            with ThreadPoolExecutor(self._each) as threads:
                items = list(threads.map(partial(self._fetched, fetch), fetch.items))
            if self._loop.is_stopping:
                return
            if self._store.fetches.put(self._owner, fetch.chunk_id, items):
                self._store.wake_ups.send(fetch.lane, fetch.encoder)
        except ExemplarError as error:  # record or blobs are unavailable: it is fetched again after its lease
            log.warning("fetch_interrupted", job=fetch.job_id, error=error.message)
        except Exception as error:  # the boundary of a chunk
            log.error("fetch_failed", job=fetch.job_id, exc_info=error)

    def _fetched(self, fetch: Fetch, item: Item) -> Item:
        """Return an item with its picture stored as a blob, or with an error."""
        if not item.is_unfetched or item.place is None or self._loop.is_stopping:
            return item
        try:
            content = fetch_picture(item.place, self._settings)
        except ExemplarError as error:
            return replace(item, problem=problem_of(error))
        except Exception as error:  # the boundary of one item: the other items go on
            log.error("fetch_failed", job=fetch.job_id, item=item.index, exc_info=error)
            failure = ExemplarError("url_failed", f"the URL cannot be fetched: {error}"[:300])
            return replace(item, problem=problem_of(failure))
        folder = folder_of_pictures(fetch.kind, fetch.job_id)
        return replace(item, picture=self._store.blobs.put(folder, content), place=None)


def fetch_picture(url: str, settings: Settings) -> bytes:
    """Return the bytes at a URL; they need not be a picture.

    Redirects are followed, and each address is checked like the first. Raises `url_fetch_off`,
    `url_refused`, `url_unreachable` (retry), `url_failed` or `url_too_large`.
    """
    deadline = time.monotonic() + settings.fetch_s
    for _ in range(MOST_REDIRECTS + 1):
        target = check_picture_url(url, hosts=settings.fetch_hosts, private_too=settings.fetch_private)
        reply = _ask(target, deadline, settings)
        if reply.status not in REDIRECTS or "location" not in reply.headers:
            return _content(reply, settings.max_picture_bytes)
        url = _next_url(url, reply.headers["location"])
    raise ExemplarError("url_failed", f"expected at most {MOST_REDIRECTS} redirects, got more")


def _ask(target: Target, deadline: float, settings: Settings) -> Reply:
    """Request a URL with a few attempts within the time limit, until the answer is not transient."""
    for tries_left in reversed(range(MOST_TRIES)):
        pause_s = FIRST_PAUSE_S * 2 ** (MOST_TRIES - 1 - tries_left)
        try:
            reply = _send(target, deadline, settings)
            if reply.status < 500 and reply.status not in PASSING:
                return reply
            failure = ExemplarError(
                "url_unreachable", f"the host answered with status {reply.status}", retry=True
            )
            pause_s = max(pause_s, _retry_after_s(reply))
        except ExemplarError as error:
            if not error.retry:
                raise
            failure = error
        if tries_left == 0 or time.monotonic() + pause_s >= deadline:
            raise failure
        time.sleep(pause_s)
    raise AssertionError("the last try returns or raises")


def _send(target: Target, deadline: float, settings: Settings) -> Reply:
    try:
        return send(
            target,
            "GET",
            headers=HEADERS,
            total_s=deadline - time.monotonic(),
            max_bytes=settings.max_picture_bytes + 1,
            private_too=settings.fetch_private,
        )
    except ExemplarError as error:
        code = "url_unreachable" if error.retry else "url_refused"
        raise ExemplarError(code, error.message, retry=error.retry) from error


def _content(reply: Reply, max_bytes: int) -> bytes:
    if reply.status != 200:
        raise ExemplarError("url_failed", f"expected status 200, got {reply.status}")
    if len(reply.body) > max_bytes:
        raise ExemplarError("url_too_large", f"expected a picture of at most {max_bytes} bytes, got more")
    return reply.body


def _next_url(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise ExemplarError("url_refused", f"the host redirects to no valid URL: {error}"[:200]) from error


def _retry_after_s(reply: Reply) -> float:
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
