"""`exemplar demo`, from nothing to named pictures, as `make demo` runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil


def test_demo_enrols_names_reports_and_stops_what_it_started(tmp_path: Path) -> None:
    environment = {**os.environ, "EXEMPLAR_DATABASE_URL": "sqlite:////nowhere/real.sqlite"}
    run = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=280,
        env=environment,  # a demo must never write into a record that is really used
    )
    assert run.returncode == 0, run.stderr
    assert re.findall(r"(\d) example\(s\) of each.*?, (\d+) held-out", run.stdout) == [
        ("1", "600"),
        ("5", "600"),
    ]
    assert run.stdout.count("macro avg") == 2
    accuracies = [float(number) for number in re.findall(r"accuracy (0\.\d+)\n", run.stdout)]
    assert min(accuracies) > 0.2, "a tenth is guessing"
    assert len(re.findall(r"is .* \(confidence .*nearest: #\d+", run.stdout)) == 3
    assert not [process for process in psutil.process_iter() if _speaks_of(process, str(tmp_path))]


def _speaks_of(process: psutil.Process, folder: str) -> bool:
    try:
        return folder in " ".join(process.cmdline()) or process.environ().get("EXEMPLAR_DATA") == folder
    except psutil.Error:
        return False


def test_demo_on_a_folder_without_classes_says_what_it_expected(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--photos", str(tmp_path)], capture_output=True, text=True
    )
    assert run.returncode == 2
    assert "two or more folders" in run.stderr and "Traceback" not in run.stderr
