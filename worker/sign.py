"""The sign of life that a worker leaves in its data folder, for probes that ask nobody else."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from core.errors import ExemplarError

LIVE_S = 60.0  # a beat may wait 30 s for the record
READY_S = 15.0
STARTING_S = 600.0  # a model may have to be fetched


@dataclass(frozen=True, slots=True)
class Sign:
    """What a worker said last: `starting`, `working` or `stopping`, and what stands in its way."""

    state: str
    fault: str | None = None


def write_sign(data: Path, name: str, sign: Sign) -> None:
    """Leave a sign; a disk that is full makes it grow old, as it should."""
    path = _path(data, name)
    draft = path.with_suffix(".part")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(sign)))
        os.replace(draft, path)


def remove_sign(data: Path, name: str) -> None:
    """Take the sign away: the worker has stopped."""
    with suppress(OSError):
        _path(data, name).unlink()


def check_sign(data: Path, name: str, *, ready: bool) -> Sign:
    """Return the sign of a worker that lives, or is `ready` to work; raises `worker_unfit` for any other."""
    path = _path(data, name)
    try:
        age_s = time.time() - path.stat().st_mtime
        sign = Sign(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise _unfit(f"{name} has left no sign of life in {path.parent}: {error}") from error
    most_s = STARTING_S if sign.state == "starting" else READY_S if ready else LIVE_S
    if age_s > most_s:
        raise _unfit(f"{name} was last heard of {age_s:.0f} s ago")
    if ready and sign.state != "working":
        raise _unfit(f"{name} is {sign.state}")
    if ready and sign.fault is not None:
        raise _unfit(f"{name} beats, but cannot work: {sign.fault}")
    return sign


def _path(data: Path, name: str) -> Path:
    return data / "workers" / f"{quote(name, safe='')}.json"


def _unfit(message: str) -> ExemplarError:
    return ExemplarError("worker_unfit", message)
