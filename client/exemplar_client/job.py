"""Jobs that can be waited for and read."""

# Generated; `make generate` writes it.

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import PrivateAttr

from exemplar_client import models
from exemplar_client.errors import error_of

if TYPE_CHECKING:
    from exemplar_client.exemplar import Exemplar

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
SUFFIXES = {
    ".csv": "text/csv",
    ".jsonl": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
}


class Job(models.Job):
    """A job of the service as it stood when it was last asked for."""

    _client: Exemplar = PrivateAttr()
    _results: list[dict[str, Any]] | None = PrivateAttr(default=None)

    def belongs_to(self, client: Exemplar, results: list[dict[str, Any]] | None) -> None:
        """Say whose job it is, and what results came with it."""
        self._client = client
        self._results = results

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.finished_at is not None

    def refresh(self) -> Self:
        """Ask how far it has come."""
        found = self._client.get_job(self.id)
        for name in type(self).model_fields:
            setattr(self, name, getattr(found, name))
        return self

    def wait(
        self, timeout_s: float | None = None, progress: Callable[[models.Progress], None] | None = None
    ) -> Self:
        """Wait for its end, telling how far it is; raises TimeoutError where that takes longer."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        pause_s = FIRST_PAUSE_S
        while True:
            if progress is not None:
                progress(self.progress)
            if self.has_ended:
                return self
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(f"job {self.id} is {self.state} after {timeout_s:g} s")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
            self.refresh()

    def results(self, *, page: int = 500) -> Iterator[models.Result]:
        """Yield the results in the order of the items, as they come, until the job has ended."""
        if self._results is not None and len(self._results) >= self.progress.total:
            for result in self._results:
                yield models.Result.model_validate(result)
            return
        cursor: str | None = None
        pause_s = FIRST_PAUSE_S
        while True:
            ended = self.has_ended
            found = self._client.get_results_page(self.id, cursor=cursor, limit=page)
            for one in found.items:
                yield one
            if found.next_cursor is None or (ended and not found.items):
                return
            cursor = found.next_cursor
            if found.items:
                pause_s = FIRST_PAUSE_S
            else:
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
                self.refresh()

    def result(self) -> models.Result:
        """Wait for the first result and return it; raises `ServiceError` where its item failed."""
        for result in self.results():
            if result.error is not None:
                raise error_of(result.error.model_dump())
            return result
        raise LookupError(f"job {self.id} is {self.state} and has no result")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Wait for its end and write its results to a file: .csv, .jsonl or .parquet."""
        suffix = Path(path).suffix.lower()
        if suffix not in SUFFIXES:
            raise ValueError(f"expected a file named .csv, .jsonl or .parquet, got {str(path)!r}")
        self.wait()
        with Path(path).open("wb") as file:
            for part in self._client.get_results(self.id, SUFFIXES[suffix]):
                file.write(part)

    def cancel(self) -> Self:
        """Take back what no worker has begun."""
        self._client.cancel_job(self.id)
        return self.refresh()

    def pause(self) -> Self:
        """Hold what no worker has begun."""
        self._client.pause_job(self.id)
        return self.refresh()

    def resume(self) -> Self:
        """Let it go on."""
        self._client.resume_job(self.id)
        return self.refresh()

    def retry(self) -> Self:
        """Try the failed items again."""
        self._client.retry_job(self.id)
        self._results = None
        return self.refresh()

    def summary(self) -> models.JobSummary:
        """Return how many results have which label, decision and error."""
        return self._client.get_summary(self.id)
