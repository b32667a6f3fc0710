"""A process that has imported what services import; it forks those that tests start and says how they ended.

It is given the number of a socket, whose clients ask it to start a process or to look at one, and the process
at whose end it ends too.
"""

from __future__ import annotations

import gc
import json
import os
import select
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
    listener, run = int(sys.argv[1]), int(sys.argv[2])
    started = _serve(socket.socket(fileno=listener), os.pidfd_open(run))
    if started is not None:
        _become(started)


def _serve(listener: socket.socket, run: int) -> dict[str, Any] | None:
    """Answer requests until the run has ended; in a process that was forked, return what it is to run."""
    clients: list[socket.socket] = []
    ended: dict[int, int] = {}
    while run not in (ready := select.select([run, listener, *clients], [], [])[0]):
        if listener in ready:
            clients.append(listener.accept()[0])
        for client in [client for client in clients if client in ready]:
            message = client.recv(MESSAGE)
            if not message:
                clients.remove(client)
                client.close()
                continue
            request = json.loads(message)
            if "command" in request:
                answer = os.fork()
                if answer == 0:
                    for inherited in (listener, *clients):
                        inherited.close()
                    return request
                ended.pop(answer, None)
            else:
                answer = _ended(request["pid"], ended)
            client.send(json.dumps(answer).encode())
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
