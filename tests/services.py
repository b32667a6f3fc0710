"""Separate services, for tests that kill, stop or configure one, and pause its worker."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from forked import ForkingSupervisor
from tiny import TINY
from waiting import until

from cli.stack import Stack
from core.settings import Settings

LIGHT = {"encoders": TINY, "runtime": "torch", "precision": "fp32", "threads": "1"}


def as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings as the variables that set them."""
    return {f"EXEMPLAR_{name.upper()}": value for name, value in settings.items()}


def forked_stack(settings: Settings, *, workers: int, environment: Mapping[str, str]) -> Stack:
    """Return a stack whose processes are forked."""
    stack = Stack(settings, workers=workers, environment=environment)
    stack._supervisor = ForkingSupervisor(stack._supervisor._grace_s)
    return stack


@contextmanager
def running_service(
    folder: Path | None = None, *, is_forked: bool = True, **settings: str
) -> Iterator[Stack]:
    """Run Redis, API and one worker as processes, with EXEMPLAR_* settings; its folder goes with it.

    By default it offers the tiny encoder alone, and runs any in the one way that needs no comparison when it
    opens. Processes that are forked share their imports, and the system shows another command and environment
    for them.
    """
    folder = folder or Path(tempfile.mkdtemp(prefix="exemplar-service-"))
    settings = {**LIGHT, **settings}
    make = forked_stack if is_forked else Stack
    stack = make(Settings(data=folder, port=0), workers=1, environment=as_environment(settings))
    try:
        stack.start(lambda _: None)
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def held(stack: Stack) -> Iterator[None]:
    """Pause the worker: the service answers whatever needs none, and no work is done."""
    worker = psutil.Process(stack.pid_of("worker-1"))
    family = [worker, *worker.children()]
    until(lambda: _hold(family, stack))
    try:
        yield
    finally:
        _let_go(family)


def finish(client: httpx.Client, stack: Stack, job: str) -> dict[str, Any]:
    """Wait for the end of a job while restarting dead processes, as `exemplar up` does; return the job."""

    def ended() -> dict[str, Any] | None:
        stack.restart_dead()
        found: dict[str, Any] = client.get(job).json()
        return None if found["finished_at"] is None else found

    return until(ended) or {}


@dataclass(frozen=True)
class Progress:
    """The progress of a job."""

    done: int
    total: int
    expanding: bool


@contextmanager
def held_amid(stack: Stack, submit: Callable[[], str], amid: Callable[[Progress], bool]) -> Iterator[str]:
    """Pause the worker in the middle of a job; gives the job's path.

    `submit` makes a job, and another one where the worker was through it before it could be held.
    """
    with closing(_record(stack, patience_s=30)) as record:
        while True:
            job = submit()
            while (found := _progress(record, job)) is not None:
                if amid(found):
                    with held(stack):
                        found = _progress(record, job)
                        if found is not None and amid(found):
                            yield job
                            return
                time.sleep(0.002)


def _record(stack: Stack, *, patience_s: float) -> sqlite3.Connection:
    path = Path(stack.environment["EXEMPLAR_DATA"]) / "record.sqlite"
    return sqlite3.connect(path, timeout=patience_s, isolation_level=None)


def _progress(record: sqlite3.Connection, job: str) -> Progress | None:
    """Return the progress of a job, None once it has ended."""
    query = "SELECT done, total, expanding, finished_at FROM job WHERE id = ?"
    done, total, expanding, finished_at = record.execute(query, (job.rpartition("/")[2],)).fetchone()
    return Progress(done, total, bool(expanding)) if finished_at is None else None


def _hold(family: list[psutil.Process], stack: Stack) -> bool:
    """Freeze processes, but not while they write, which would block all other writers."""
    for process in family:
        process.suspend()
    until(lambda: all(map(_stands_still, family)))
    with closing(_record(stack, patience_s=0.1)) as record, suppress(sqlite3.OperationalError):
        record.execute("BEGIN IMMEDIATE")
        record.execute("ROLLBACK")
        return True
    _let_go(family)
    return False


def _stands_still(process: psutil.Process) -> bool:
    """Return whether every thread of a process is stopped."""
    threads = Path(f"/proc/{process.pid}/task").glob("*/stat")
    try:
        return all(thread.read_text().rpartition(")")[2].split()[0] == "T" for thread in threads)
    except (FileNotFoundError, ProcessLookupError):  # a thread or process has just ended
        return False


def _let_go(family: list[psutil.Process]) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.resume()
