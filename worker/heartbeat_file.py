"""The heartbeat file that a worker writes into its data folder, for probes without network access."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from core.errors import ExemplarError
from runtime.files import replacing

LIVE_S = 60.0  # a beat may wait 30 s for the record
READY_S = 15.0
STARTING_S = 600.0  # a model may have to be downloaded


@dataclass(frozen=True, slots=True)
class WorkerState:
    """The state last written: `starting`, `working` or `stopping`, and a fault that prevents work."""

    state: str
    fault: str | None = None


def write_heartbeat(data: Path, name: str, state: WorkerState) -> None:
    """Write the file; on a full disk it becomes stale, which fails the probe as it should."""
    path = _path(data, name)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, durable=False) as draft:
            Path(draft).write_text(json.dumps(asdict(state)))


def remove_heartbeat(data: Path, name: str) -> None:
    """Delete the file: the worker has stopped."""
    with suppress(OSError):
        _path(data, name).unlink()


def check_heartbeat(data: Path, name: str, *, ready: bool) -> WorkerState:
    """Return the state of a worker that is alive, or `ready`; raises `worker_invalid` for any other."""
    path = _path(data, name)
    try:
        age_s = time.time() - path.stat().st_mtime
        state = WorkerState(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise _invalid(f"{name} has written no heartbeat file in {path.parent}: {error}") from error
    most_s = STARTING_S if state.state == "starting" else READY_S if ready else LIVE_S
    if age_s > most_s:
        raise _invalid(f"{name} had its last heartbeat {age_s:.0f} s ago")
    if ready and state.state != "working":
        raise _invalid(f"{name} is {state.state}")
    if ready and state.fault is not None:
        raise _invalid(f"{name} is alive, but cannot work: {state.fault}")
    return state


def _path(data: Path, name: str) -> Path:
    return data / "workers" / f"{quote(name, safe='')}.json"


def _invalid(message: str) -> ExemplarError:
    return ExemplarError("worker_invalid", message)
