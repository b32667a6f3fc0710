"""How many workers `exemplar up` starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.capacity import GIB
from cli.sizing import workers_of
from runtime import processes


@pytest.mark.parametrize(
    ("cores", "gib", "workers", "threads"),
    [
        (1, 24, 1, 1),
        (2, 24, 2, 1),
        (2, 3, 1, 2),
        (4, 24, 4, 1),
        (8, 8, 4, 2),
        (16, 0.5, 1, 4),
        (4, None, 4, 1),
    ],
)
def test_workers_and_threads_are_as_many_as_cores_and_memory_carry(
    cores: int, gib: float | None, workers: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "cores", lambda: cores)
    assert workers_of(cores, None if gib is None else int(gib * GIB)) == workers
    assert processes.compute_threads(workers) == threads


def test_gpu_is_of_one_worker() -> None:
    assert workers_of(16, 128 * GIB, is_gpu=True) == 1


def test_container_has_its_quota_of_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert processes.cores() == 8
    for text, expected in (("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("odd", 8)):
        (tmp_path / "cpu.max").write_text(text)
        assert processes.cores() == expected


def test_container_has_its_limit_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, machine = tmp_path / "memory.max", tmp_path / "meminfo"
    monkeypatch.setattr(processes, "_MEMORY", (limit, machine))
    assert processes.memory_bytes() is None
    machine.write_text("MemFree: 1 kB\nMemTotal:  2048 kB\n")
    assert processes.memory_bytes() == 2 << 20
    limit.write_text("max\n")
    assert processes.memory_bytes() == 2 << 20
    limit.write_text("1048576\n")
    assert processes.memory_bytes() == 1 << 20
