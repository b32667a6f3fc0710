"""A supervisor of child processes: it restarts them until they are stopped."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.processes import die_with_parent

LONGEST_PAUSE_S = 10.0
EARLY_S = 3.0  # a worker that lived longer had started its work
GRACE_S = 35.0


@dataclass(slots=True)
class Child:
    """One process of the service, restarted when it exits."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    early_deaths: int = 0
    start_again_at: float | None = None
    is_asked: bool = False

    def start(self) -> None:
        """Start the process; its output goes to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.process = self._opened()
        self.started_at = time.monotonic()
        self.start_again_at = None
        self.is_asked = False

    def _opened(self) -> subprocess.Popen[bytes]:
        with open(self.log, "ab") as out:
            return subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C goes to the supervisor alone, which stops all in order
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one thread here, and prctl takes no lock
            )

    def plan_start(self) -> None:
        """Choose when to restart: immediately, or after a growing delay if it died soon after its start."""
        now = time.monotonic()
        died_early = now - self.started_at < EARLY_S
        self.early_deaths = self.early_deaths + 1 if died_early else 0
        self.start_again_at = now + (min(2.0**self.early_deaths, LONGEST_PAUSE_S) if died_early else 0.0)

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The process id, 0 if it is not running."""
        return self.process.pid if self.process is not None and self.is_running else 0

    def ask_to_stop(self) -> None:
        """Ask the process to stop, once: a second signal would end it immediately."""
        if self.process is not None and not self.is_asked:
            self.is_asked = True
            self.process.terminate()

    def kill(self) -> None:
        """Kill the process."""
        if self.process is not None:
            self.process.kill()

    def stop(self, grace_s: float) -> None:
        """Ask the process to stop, and kill it after `grace_s`."""
        if self.process is None:
            return
        self.ask_to_stop()
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Starts children in order, restarts them, and stops them; all depend on the first."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self.children: list[Child] = []
        self._grace_s = grace_s

    def start(self, child: Child) -> Child:
        """Start a child and keep it running."""
        child.start()
        self.children.append(child)
        return child

    def restart_dead(self) -> list[Child]:
        """Restart dead children; return those found dead since the last call."""
        found = [child for child in self.children if not child.is_running and child.start_again_at is None]
        for child in found:
            child.plan_start()
        for child in self.children:
            if child.start_again_at is not None and time.monotonic() >= child.start_again_at:
                child.start()
        return found

    def child(self, name: str) -> Child:
        """Return a child by its name."""
        return next(child for child in self.children if child.name == name)

    def stop_child(self, name: str) -> None:
        """Stop one child and forget it."""
        child = self.child(name)
        self.children.remove(child)
        child.stop(self._grace_s)

    def stop(self) -> None:
        """Stop all children at the same time, but the first only after the others."""
        for child in self.children[1:]:
            child.ask_to_stop()
        while self.children:
            self.children[-1].stop(self._grace_s)
            self.children.pop()

    def kill(self) -> None:
        """Kill all children, which also shortens a `stop` in progress."""
        for child in list(self.children):
            child.kill()
