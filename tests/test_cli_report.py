"""`exemplar report` as a person types it, and the tables it prints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest
from calls import enroll
from rich.cells import cell_len
from supporting import make_supports
from test_cli_commands import run

from cli.report_command import _lines
from cli.report_table import numbers_text
from cli.stack import Stack
from core.collections import Metric, RuleName
from core.report import CollectionReport
from index.report import Subject, make_report

Digits = Callable[[int, int], bytes]


def made(labels: list[str], owners: np.ndarray, named: np.ndarray, **more: Any) -> dict[str, Any]:
    """A report as JSON: owners and named are columns of the labels, which are in order."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(owners), 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    supports = make_supports(np.arange(len(owners)) + 1, owners, vectors)
    subject = Subject(
        3, RuleName.AUTO, Metric.COSINE, RuleName.KERNEL, supports, labels, ["normal"] * len(labels)
    )
    probabilities = np.eye(len(labels))[named]
    probabilities[supports.counts[supports.columns] < 2] = np.nan
    report: CollectionReport = make_report(subject, np.arange(len(owners)), probabilities, **more)
    return report.model_dump(mode="json")


def test_table_is_laid_out_as_scikit_learn_lays_it_out() -> None:
    from sklearn.metrics import classification_report

    rng = np.random.default_rng(1)
    labels = ["a", "longer than the averages", "z"]
    owners, named = rng.integers(0, 3, 90), rng.integers(0, 3, 90)
    expected = classification_report(owners, named, target_names=labels, digits=3)
    assert numbers_text(made(labels, owners, named), 100) == expected


def test_class_that_could_not_be_judged_has_no_figures() -> None:
    table = numbers_text(made(["a", "b"], np.array([0, 0, 1]), np.array([0, 0, 1])), 100)
    lone = next(line for line in table.splitlines() if line.lstrip().startswith("b "))
    assert lone.split() == ["b", "-", "-", "-", "0", "?"]


def test_of_too_many_classes_the_weakest_are_in_the_table() -> None:
    owners = np.repeat(np.arange(6), 4)
    named = owners.copy()
    named[[16, 17]] = 0
    table = numbers_text(made([f"class {n}" for n in range(6)], owners, named), 2)
    assert "class 4" in table and "class 0" in table and "class 1" not in table


def test_lines_fit_a_hundred_columns_whatever_the_labels() -> None:
    rng = np.random.default_rng(2)
    labels = sorted(
        [f"{n} a label of quite some length, as people like them" for n in range(4)] + ["日本" * 20]
    )
    owners = np.concatenate([np.arange(5).repeat(3), rng.integers(0, 5, 40)])
    found = made(labels, owners, rng.integers(0, 5, 55), pictures=dict.fromkeys(range(1, 40), "aa"))
    lines = "\n".join(_lines("things", found)).splitlines()
    assert max(map(cell_len, lines)) <= 100


@pytest.mark.processes
def test_report_is_printed_and_drawn(
    service: Stack, http: httpx.Client, digits: Digits, tmp_path: Path
) -> None:
    name = f"c-{uuid4().hex[:8]}"
    http.post("/v1/collections", json={"name": name})
    for digit in (0, 1):
        enroll(http, name, f"digit {digit}", *(digits(digit, n) for n in range(6)))
    enroll(http, name, "digit 1", digits(0, 7))
    file = tmp_path / "confusion.svg"
    printed = run("report", "-c", name, "--picture", str(file), url=service.url)
    assert printed.returncode == 0, printed.stderr
    for part in (
        "13 pictures in 2 classes",
        "f1-score",
        "macro avg",
        "What to photograph next (2)",
        "\nencoder ",
    ):
        assert part in printed.stdout
    assert re.search(r"#\d+ digit 1, nearer to digit 0 \(margin -0\.\d+\)", printed.stdout)
    assert ElementTree.parse(file).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    as_json = run("report", "-c", name, "--json", url=service.url)
    assert json.loads(as_json.stdout)["supports"] == 13


@pytest.mark.processes
def test_collection_that_is_not_there_is_one_line(service: Stack) -> None:
    answer = run("report", "-c", "nowhere", url=service.url)
    assert (answer.returncode, "collection_not_found" in answer.stderr) == (2, True)
