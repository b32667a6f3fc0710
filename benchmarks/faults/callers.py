"""Callers that submit, try again where they are refused, and write down what was acknowledged to them."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import httpx

from benchmarks.common import picture

PAUSE_S = 0.1
REFUSALS = (429, 502, 503, 507)


@dataclass(frozen=True)
class Acknowledged:
    """A job that was answered with a 2xx: its pictures by number and digest."""

    job: str
    kind: str
    numbers: Sequence[int]
    digests: Sequence[str]
    ack_s: float
    """The call that was acknowledged."""
    key: str | None
    target: str | None = None
    """The job that it decides again."""


class History:
    """An append-only file of what was acknowledged; `waits` are from the first try to the last result."""

    def __init__(self, path: Path) -> None:
        self.jobs: list[Acknowledged] = []
        self.waits: list[tuple[float, float]] = []
        """(when it ended, how long it took) in seconds"""
        self.answers: Counter[str] = Counter()
        self.calls: list[tuple[float, float]] = []
        """(when it ended, how long it took) of every call that submits, also those refused"""
        self._file = open(path, "a")  # noqa: SIM115 - open as long as the callers call
        self._lock = threading.Lock()

    def add(self, job: Acknowledged) -> None:
        """Write down a job."""
        with self._lock:
            self.jobs.append(job)
            self._file.write(json.dumps(asdict(job)) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def items(self) -> int:
        """How many items were acknowledged."""
        return sum(len(job.numbers) for job in self.jobs)

    def slowest_call_s(self) -> float:
        """Return the longest time in which the API accepted or refused."""
        return max((took for _, took in self.calls), default=0.0)


class Callers:
    """Threads that each submit a job, wait for its end, and go on with the next."""

    def __init__(
        self, url: str, collection: str, history: History, *, threads: int = 3, per_job: int = 16
    ) -> None:
        self.history = history
        self.collection = collection
        self._url = url
        self._per_job = per_job
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(threads)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; jobs that were acknowledged are left to themselves."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def take(self, count: int) -> list[int]:
        """Return numbers of pictures that nobody else has."""
        with self._lock:
            return list(itertools.islice(self._numbers, count))

    def submit(
        self,
        http: httpx.Client,
        kind: str,
        contents: Sequence[bytes],
        numbers: Sequence[int] = (),
        *,
        key: str | None = None,
        tries: int = 10_000,
    ) -> Acknowledged | None:
        """Submit until it is acknowledged, always under one key; None where the callers are to stop first."""
        key = key or f"{self.collection}-{kind}-{sha256(b''.join(contents)).hexdigest()[:16]}"
        data = {"label": f"label {numbers[0] % 7 if numbers else 0}"} if kind == "enroll" else None
        files = [("image", (f"{n}.png", content)) for n, content in enumerate(contents)]

        def send() -> httpx.Response:
            return http.post(
                f"/v1/collections/{self.collection}/{kind}",
                data=data,
                files=files,
                headers={"Idempotency-Key": key},
            )

        digests = [sha256(content).hexdigest() for content in contents]
        return self._acknowledged(send, Acknowledged("", kind, list(numbers), digests, 0.0, key), tries)

    def redecide(self, http: httpx.Client, job: Acknowledged) -> Acknowledged | None:
        """Decide the answers of a job again; None where the callers are to stop first."""
        key = f"redecide-{job.job}"

        def send() -> httpx.Response:
            return http.post(f"/v1/jobs/{job.job}/redecide", json={}, headers={"Idempotency-Key": key})

        again = Acknowledged("", "redecide", job.numbers, job.digests, 0.0, key, job.job)
        return self._acknowledged(send, again, 10_000)

    def _acknowledged(
        self, send: Callable[[], httpx.Response], job: Acknowledged, tries: int
    ) -> Acknowledged | None:
        """Send until it is acknowledged; None where the callers are to stop first."""
        for _ in range(tries):
            begun = time.monotonic()
            try:
                response = send()
                self.history.answers[str(response.status_code)] += 1
            except httpx.HTTPError as error:
                self.history.answers[type(error).__name__] += 1
                response = None
            took = time.monotonic() - begun
            self.history.calls.append((time.monotonic(), took))
            if response is not None and response.is_success:
                made = replace(job, job=response.json()["id"], ack_s=took)
                self.history.add(made)
                return made
            if response is not None and response.status_code not in REFUSALS:
                raise AssertionError(f"{response.status_code}: {response.text[:500]}")
            if self._stop.wait(PAUSE_S):
                break
        return None

    def _run(self, thread: int) -> None:
        with httpx.Client(base_url=self._url, timeout=30) as http:
            for turn in itertools.count(thread):
                if self._stop.is_set():
                    return
                numbers = self.take(self._per_job)
                contents = [picture(number) for number in numbers]
                begun = time.monotonic()
                try:
                    job = self.submit(http, ("enroll", "classify")[turn % 2], contents, numbers)
                    if job is None or not self.follow(http, job):
                        return
                    if job.kind == "classify":
                        again = self.redecide(http, job)
                        if again is None or not self.follow(http, again):
                            return
                except AssertionError as error:
                    self.history.answers[f"UNEXPECTED {error}"] += 1
                    continue
                self.history.waits.append((time.monotonic(), time.monotonic() - begun))

    def follow(self, http: httpx.Client, job: Acknowledged) -> bool:
        """Wait for the end of a job; False where the callers are to stop first."""
        while not self._stop.wait(PAUSE_S):
            try:
                response = http.get(f"/v1/jobs/{job.job}")
            except httpx.HTTPError:
                continue
            if response.status_code == httpx.codes.NOT_FOUND:
                raise AssertionError(f"404: acknowledged job {job.job} is not known")
            if response.is_success and response.json()["finished_at"]:
                return True
        return False
