"""A process that has imported what services import; it forks those that tests start and says how they ended.

It reads one request at a time from a socket, whose number it is given: start a process, or look at one.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
from importlib import import_module
from typing import Any

MESSAGE = 1 << 20  # bytes
IMPORTED = (
    "alembic.context",
    "api.serve",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "cli.serve",
    "kombu.transport.redis",
    "worker.parts",
    "worker.process",
)
ENCODERS = ("encoders.efficientnet_lite", "encoders.timm_tower")


def main() -> None:
    """Serve until the tests have ended; in a process that was forked, run its command instead."""
    sys.path[0] = os.getcwd()  # as it is for `python -m`
    for name in IMPORTED:
        import_module(name)
    with import_module("encoders.light_imports").compiler_left_out():  # as a worker imports them
        for name in ENCODERS:
            import_module(name)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        started = _serve(requests)
    if started is not None:
        _become(started)


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Answer requests; in a process that was forked, return what it is to run."""
    ended: dict[int, int] = {}
    while message := requests.recv(MESSAGE):
        request = json.loads(message)
        if "command" in request:
            answer = os.fork()
            if answer == 0:
                return request
            ended.pop(answer, None)
        else:
            answer = _ended(request["pid"], ended)
        requests.send(json.dumps(answer).encode())
    return None


def _ended(pid: int, ended: dict[int, int]) -> int | None:
    """Return the exit code of a process that was forked, None as long as it lives."""
    if pid not in ended:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended.get(pid)


def _become(started: dict[str, Any]) -> None:
    from exemplar_service import main as run
    from runtime.processes import die_with_parent

    os.setsid()
    die_with_parent()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    log = os.open(started["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.environ.clear()
    os.environ.update(started["environment"])
    sys.argv = started["command"]
    run()


if __name__ == "__main__":
    main()
