"""Processes of the service forked from one that has their imports, in 1 CPU second and not 4."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from template_process import MESSAGE
from waiting import until

from cli.supervisor import Child, Supervisor

TEMPLATE = Path(__file__).with_name("template_process.py")
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)


class _Template:
    """A connection to the process that is forked, one for all processes of a run of tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        name = f"\0exemplar-template-{RUN}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            try:
                listener.bind(name)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:  # another process has started it
                    raise
            else:
                listener.listen()
                self._process = _start(listener.fileno())
        until(lambda: self._socket.connect_ex(name) == 0)

    def ask(self, request: dict[str, Any]) -> Any:
        with self._lock:
            self._socket.send(json.dumps(request).encode())
            answer = self._socket.recv(MESSAGE)
        assert answer, "the process that is to be forked has ended"
        return json.loads(answer)


def _start(listener: int) -> subprocess.Popen[bytes]:
    run = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    return subprocess.Popen(
        [sys.executable, str(TEMPLATE), str(listener), str(run)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[listener],
        start_new_session=True,
    )


@cache
def _template() -> _Template:
    return _Template()


class Forked:
    """A process as `subprocess.Popen` has it, which writes to a log."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        sys.audit("os.fork")  # so that a test without the marker fails
        request = {"command": command, "environment": environment, "log": str(log)}
        self.returncode: int | None = None
        self.pid: int = _template().ask(request)

    @property
    def said(self) -> str:
        """What it has written so far."""
        return self.log.read_text() if self.log.exists() else ""

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = _template().ask({"pid": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        until = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (ended := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
            time.sleep(0.01)
        return ended

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _ForkedChild(Child):
    """A child of the supervisor that is forked."""

    def _opened(self) -> Forked:
        _, _, *command = self.command  # without Python and `-m`
        return Forked(command, {**os.environ, **self.environment}, self.log)


class ForkingSupervisor(Supervisor):
    """Forks what are commands of the service; Redis is none."""

    def start(self, child: Child) -> Child:
        if "exemplar_service" in child.command:
            child = _ForkedChild(child.name, child.command, child.environment, child.log)
        return super().start(child)
