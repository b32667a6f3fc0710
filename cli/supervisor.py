"""Child processes that are kept alive until all of them are stopped."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.processes import die_with_parent

LONGEST_PAUSE_S = 30.0
GRACE_S = 20.0


@dataclass(slots=True)
class Child:
    """One process of the service, started again where it ends by itself."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    not_before: float = field(default=0.0)

    def start(self) -> None:
        """Start the process; its output goes to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the supervisor alone, which stops all in order
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one thread here, and prctl takes no lock
            )
        self.starts += 1

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Ask the process to end, and make it end where it does not."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Starts children in order, keeps them alive, and stops them the other way round."""

    def __init__(self) -> None:
        self.children: list[Child] = []

    def start(self, child: Child) -> Child:
        """Start a child and keep it alive from now on."""
        child.start()
        self.children.append(child)
        return child

    def mend(self) -> list[Child]:
        """Start again what has died, each time after a longer pause; return what was found dead."""
        now = time.monotonic()
        dead = [child for child in self.children if not child.is_running]
        for child in dead:
            if child.not_before == 0.0:
                child.not_before = now + min(2.0 ** (child.starts - 2), LONGEST_PAUSE_S)
            elif now >= child.not_before:
                child.not_before = 0.0
                child.start()
        return dead

    def stop(self) -> None:
        """Stop all children, the last one first."""
        while self.children:
            self.children.pop().stop()
