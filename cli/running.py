"""What `exemplar up` notes in its data folder, so that commands on the same data find its queue."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from runtime.files import write

NAME = "up.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A service on this machine: the process of its `exemplar up`, its URL, and that of its queue."""

    pid: int
    url: str
    redis_url: str


def note_running(data: Path, running: Running) -> None:
    """Note the service that runs on a data folder."""
    write(str(data / NAME), json.dumps(asdict(running)).encode(), durable=False)


def forget_running(data: Path) -> None:
    """Delete the note."""
    (data / NAME).unlink(missing_ok=True)


def find_running(data: Path) -> Running | None:
    """Return the service that runs on a data folder, or None; an `up` that was killed has left its note."""
    try:
        found = Running(**json.loads((data / NAME).read_text()))
        os.kill(found.pid, 0)
    except PermissionError:  # another user's
        return found
    except (OSError, ValueError, TypeError):
        return None
    return found if Path(found.redis_url.removeprefix("unix://")).exists() else None
