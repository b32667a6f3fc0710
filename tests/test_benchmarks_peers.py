"""The benchmark of comparable projects: its environments, its figures and its table; no peer is installed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import environments
from benchmarks.peers.__main__ import run_rounds
from benchmarks.peers.environments import LOCKS, NotInstalledError, python_of, versions_in
from benchmarks.peers.measuring import Bench, Figures, measure
from benchmarks.peers.serving import served
from benchmarks.peers.systems import SYSTEMS, System
from benchmarks.peers.table import markdown
from benchmarks.peers.watching import Watch
from benchmarks.peers.weights import Weights, least_cosine
from core.vectors import Vectors

NAMES = sorted(file.stem for file in LOCKS.glob("*.in"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench([b"a", b"b", b"c"], Weights(tmp_path), tmp_path, seconds=0.05, asks=5, items=7)


def pins_of(file: Path) -> set[str]:
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return {line.replace("_", "-").lower() for line in lines if line}


def without_extras(pin: str) -> str:
    name, _, exact = pin.partition("==")
    return f"{name.partition('[')[0]}=={exact}"


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_has_the_versions_that_are_asked_for(name: str) -> None:
    wanted = {without_extras(pin) for pin in pins_of(LOCKS / f"{name}.in")}
    assert wanted <= pins_of(LOCKS / f"{name}.txt")


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_a_system_reports_versions_that_its_environment_has(system: System) -> None:
    if system.environment is None:
        assert all(map(version, system.packages))
    else:
        locked = {pin.partition("==")[0] for pin in pins_of(LOCKS / f"{system.environment}.txt")}
        assert set(system.packages) <= locked


@pytest.mark.processes
def test_an_environment_that_cannot_be_installed_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "LOCKS", tmp_path)
    (tmp_path / "odd.txt").write_text(f"{tmp_path}/missing-1.0-py3-none-any.whl\n")
    with pytest.raises(NotInstalledError, match=r"odd was not installed: .*missing-1\.0"):
        python_of("odd", tmp_path / "cache")


@pytest.mark.processes
def test_versions_are_those_of_the_interpreter() -> None:
    assert versions_in(sys.executable, ("pytest",)) == {"pytest": version("pytest")}


def test_files_repeat_the_pictures(bench: Bench) -> None:
    files = sorted(bench.files(4).iterdir())
    assert [file.read_bytes() for file in files] == [b"a", b"b", b"c", b"a"]


def test_all_pictures_of_all_callers_are_counted(bench: Bench) -> None:
    def embed(contents: Sequence[bytes]) -> Vectors:
        time.sleep(0.01)
        asked.append(len(contents))
        return np.eye(3, dtype=np.float32)[: len(contents)]

    asked: list[int] = []
    found = measure(bench, embed, 1.5, callers=2, per_request=2)
    assert found.start_s == 1.5
    assert len(found.alone_ms) == bench.asks
    assert asked.count(2) >= 4  # two callers: one request before the clock starts, and one or more after
    assert 0 < found.per_s < 2 * 2 / 0.01


def test_a_system_that_fails_is_named_and_left_out(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_: Bench, __: Path) -> Figures:
        raise RuntimeError("no such option")

    def works(_: Bench, __: Path) -> Figures:
        return Figures(2.0, 10.0, [1.0, 3.0], np.eye(3, dtype=np.float32))

    systems = [System(name, name, "", run, ()) for name, run in (("broken", fails), ("fine", works))]
    pythons = dict.fromkeys(("broken", "fine"), Path(sys.executable))
    found = run_rounds(systems, pythons, bench, np.eye(3, dtype=np.float32), 2)
    assert {name: len(lines) for name, lines in found.items()} == {"fine": 2}
    assert found["fine"][0]["alone_p50_ms"] == 2.0
    assert found["fine"][0]["least_cosine"] == 1.0
    out = capsys.readouterr().out
    assert out.count("no such option") == 1


@pytest.mark.processes
def test_a_server_that_ends_is_told_with_the_end_of_its_log(bench: Bench) -> None:
    def embed(_: Sequence[bytes]) -> Vectors:
        raise ConnectionError("refused")

    with (
        served("odd", bench, [sys.executable, "-c", "print('no such model')"], 1) as server,
        pytest.raises(RuntimeError, match=r"it ended: .*no such model"),
    ):
        server.until_answers(embed)


@pytest.mark.processes
def test_memory_of_children_is_seen() -> None:
    code = "held = bytearray(64 << 20); print('held', flush=True); input()"
    with (
        Watch() as watch,
        subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as child,
    ):
        assert child.stdout is not None and child.stdin is not None
        assert child.stdout.readline() == "held\n"
        until = time.monotonic() + 60
        while watch.peak_mib < 64 and time.monotonic() < until:
            time.sleep(0.05)
        child.stdin.write("\n")
    assert watch.peak_mib >= 64


def test_vectors_that_are_all_similar_agree_only_in_what_sets_them_apart() -> None:
    rng = np.random.default_rng(0)
    rows = (10 + rng.normal(size=(8, 16))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert least_cosine(rows, rows) == 1.0
    assert least_cosine(rows, rows[::-1]) < 0.5


def test_the_table_has_a_row_for_each_system_and_its_versions() -> None:
    line = {"per_s": 14.2, "start_s": 9.7, "peak_mib": 2400.0, "least_cosine": 1.0}
    alone = {"alone_p50_ms": 45.1, "alone_p95_ms": 47.0}
    table = markdown(
        [
            {"system": "clip-retrieval", **line, "versions": {"torch": "2.15.0"}},
            {"system": "exemplar-2", **line, **alone, "versions": {"torch": "2.15.0", "openvino": "2026.4"}},
        ]
    )
    rows = [row for row in table.splitlines() if row.startswith("|")]
    assert rows[2].endswith("| 14 | - | 2,400 | 10 | 1.000 |")
    assert rows[3].endswith("| 14 | 45 / 47 | 2,400 | 10 | 1.000 |")
    assert "torch 2.15.0, openvino 2026.4" in table
