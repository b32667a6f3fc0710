"""`exemplar up`: it restarts dead processes, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import pytest
from services import LIGHT, as_environment
from tiny import TINY
from waiting import lives, until

from cli import supervisor as supervisor_module
from cli.running import Running, find_running, forget_running, note_running
from cli.stack import Stack
from cli.supervisor import Child, Supervisor
from cli.up import ready_lines
from core.errors import ExemplarError
from core.settings import Settings

pytestmark = pytest.mark.processes


def start_up(data: Path, port: int, temporary: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "exemplar_service", "up", "--workers", "1", "--data", str(data)]
    command += ["--port", str(port)]
    environment = {**os.environ, "TMPDIR": str(temporary), **as_environment(LIGHT)}
    return subprocess.Popen(
        command, env=environment, text=True, stderr=subprocess.STDOUT, stdout=subprocess.PIPE
    )


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return the line with these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return line
    raise AssertionError(f"no line with {words!r}")


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A short folder for sockets, whose paths are limited in length."""
    with tempfile.TemporaryDirectory(prefix="ex-") as folder:
        yield Path(folder)


@pytest.fixture
def up(tmp_path: Path, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """`exemplar up`, ready."""
    process = start_up(tmp_path, 0, temporary)
    try:
        process.url = read_until(process, "ready at").split()[3]  # type: ignore[attr-defined]
        assert read_until(process, "encoder").startswith(f"exemplar: encoder {TINY}")
        yield process
    finally:
        process.kill()
        process.communicate()


def family_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def all_have_ended(family: list[psutil.Process]) -> bool:
    return not any(map(lives, family))


def doctor(data: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "exemplar_service", "doctor", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_up_starts_again_what_dies_and_ctrl_c_stops_all_and_doctor_says_so(
    up: subprocess.Popen[str], temporary: Path, tmp_path: Path
) -> None:
    assert doctor(tmp_path) == (0, "record: ok\nblobs: ok\nsnapshots: ok\nqueue: ok\nworkers: ok\n")
    names = {}
    for child in psutil.Process(up.pid).children():
        command = child.cmdline()
        names["worker-1" if "worker" in command else "api" if "api" in command else "redis"] = child
    assert set(names) == {"redis", "api", "worker-1"}
    for child in names.values():
        child.kill()
    said = {read_until(up, "has died").split()[1] for _ in names}
    assert said == set(names)

    def is_ready() -> bool:
        try:
            return httpx.get(f"{up.url}/readyz").json()["status"] == "ready"  # type: ignore[attr-defined]
        except httpx.TransportError:
            return False

    until(is_ready)
    until(lambda: len(family_of(up)) >= 4)
    family = family_of(up)
    up.send_signal(signal.SIGINT)
    until(lambda: up.poll() is not None)
    assert up.returncode == 0
    until(lambda: all_have_ended(family))
    assert list(temporary.glob("exemplar-*")) == []
    code, said = doctor(tmp_path)
    assert code == 2 and "up` is not running on this data folder" in said and "record: ok" in said


def test_note_of_an_up_that_was_killed_counts_for_nothing(tmp_path: Path) -> None:
    socket_path = tmp_path / "redis.sock"
    socket_path.touch()
    running = Running(os.getpid(), "http://127.0.0.1:1", f"unix://{socket_path}")
    assert find_running(tmp_path) is None
    note_running(tmp_path, running)
    assert find_running(tmp_path) == running
    socket_path.unlink()
    assert find_running(tmp_path) is None
    gone = subprocess.Popen(["true"])
    gone.wait()
    socket_path.touch()
    note_running(tmp_path, replace(running, pid=gone.pid))
    assert find_running(tmp_path) is None
    (tmp_path / "up.json").write_text("half a no")
    assert find_running(tmp_path) is None
    forget_running(tmp_path)
    forget_running(tmp_path)


def test_up_says_where_it_is_what_it_needs_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.up.lan_address", lambda: "192.168.1.5")
    local = "\n".join(ready_lines(Settings(data=tmp_path), "http://127.0.0.1:8000", needs_key=False))
    assert "page: http://127.0.0.1:8000/" in local and "encoder efficientnet_lite2" in local
    assert "no key is needed from this machine" in local and "on the network" not in local
    assert "enroll FOLDER -c NAME, then" in local
    everywhere = Settings(data=tmp_path, host="0.0.0.0")
    lan = "\n".join(ready_lines(everywhere, "http://127.0.0.1:9000", needs_key=True))
    assert "on the network: http://192.168.1.5:9000/" in lan and "set EXEMPLAR_KEY" in lan
    assert "--url http://127.0.0.1:9000" in lan
    one = Settings(data=tmp_path, host="10.0.0.2")
    assert "on the network: http://10.0.0.2:8000/" in list(
        ready_lines(one, "http://10.0.0.2:8000", needs_key=True)
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "keys create NAME --data"),
        (["--encoders", "efficientnet_lite3"], "did you mean efficientnet_lite2"),
    ],
)
def test_up_that_cannot_serve_says_so_before_it_starts_anything(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    command = [sys.executable, "-m", "exemplar_service", "up", "--data", str(tmp_path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2 and words in done.stderr
    assert "starting" not in done.stderr and done.stderr.count("\n") == 1


def test_children_die_with_an_up_that_is_killed(up: subprocess.Popen[str]) -> None:
    family = family_of(up)
    assert len(family) >= 4
    up.kill()
    until(lambda: all_have_ended(family))


def test_up_can_be_stopped_while_it_starts(tmp_path: Path, temporary: Path) -> None:
    process = start_up(tmp_path, 0, temporary)
    read_until(process, "starting worker-1")
    family = family_of(process)
    process.terminate()
    until(lambda: process.poll() is not None)
    process.communicate()
    assert process.returncode == 0
    until(lambda: all_have_ended(family))
    assert list(temporary.glob("exemplar-*")) == []


def check_refused(process: subprocess.Popen[str], code: str) -> None:
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 2
    [line] = [line for line in out.splitlines() if "starting" not in line and "stopping" not in line]
    assert line.endswith(f"({code})")


def test_folder_in_use_is_refused(service: Stack, temporary: Path) -> None:
    data = Path(service.environment["EXEMPLAR_DATA"])
    check_refused(start_up(data, 0, temporary), "data_in_use")


def test_port_in_use_is_refused(service: Stack, tmp_path: Path, temporary: Path) -> None:
    port = int(service.environment["EXEMPLAR_PORT"])
    check_refused(start_up(tmp_path, port, temporary), "port_in_use")


def test_address_that_is_none_is_refused(tmp_path: Path) -> None:
    stack = Stack(Settings(data=tmp_path, host="256.1.1.1", port=0), workers=1, environment={})
    with pytest.raises(ExemplarError, match=r"256\.1\.1\.1"):
        stack.start(lambda _: None)
    stack.stop()


def sleeper(folder: Path, seconds: float) -> Child:
    return Child("sleeper", ["sleep", str(seconds)], {}, folder / "log")


def test_supervisor_waits_longer_for_what_dies_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(supervisor_module, "time", SimpleNamespace(monotonic=lambda: now))
    supervisor = Supervisor()
    child = supervisor.start(sleeper(tmp_path, 0))
    for pause_s in (2, 4, 8, 10, 10):
        until(lambda: not child.is_running)
        assert [dead.name for dead in supervisor.restart_dead()] == ["sleeper"]
        now += pause_s - 0.1
        ended = child.process
        assert supervisor.restart_dead() == [] and child.process is ended
        now += 0.1
        supervisor.restart_dead()
        assert child.process is not ended
    supervisor.stop()


def test_supervisor_kills_what_does_not_stop(tmp_path: Path) -> None:
    supervisor = Supervisor(grace_s=0.2)
    script = "trap '' TERM; echo on; while :; do sleep 0.05; done"
    deaf = Child("deaf", ["sh", "-c", script], {}, tmp_path / "log")
    child = supervisor.start(deaf)
    until(lambda: "on" in (tmp_path / "log").read_text())
    process = child.process
    supervisor.stop()
    assert process is not None and process.returncode == -signal.SIGKILL


def test_port_zero_takes_a_free_one(service: Stack) -> None:
    with socket.create_connection(("127.0.0.1", int(service.environment["EXEMPLAR_PORT"]))):
        assert service.url.endswith(service.environment["EXEMPLAR_PORT"])
