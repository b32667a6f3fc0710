"""`exemplar evaluate`: draws, rules and its JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cli.evaluate import answers_of, draw, evaluate
from core.types import Rule

Digits = Callable[[int, int], bytes]


@pytest.fixture
def folders(tmp_path: Path, digits: Digits) -> tuple[Path, Path]:
    """Three digits: 5 supports and 4 queries of each."""
    for digit in (0, 1, 7):
        for n in range(9):
            folder = tmp_path / ("support" if n < 5 else "query") / str(digit)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{n}.png").write_bytes(digits(digit, n))
    return tmp_path / "support", tmp_path / "query"


def test_draw_starts_where_the_last_one_ended_and_wraps_round() -> None:
    labels = ["a"] * 3 + ["b"] * 3
    assert draw(labels, 2, 0).tolist() == [0, 1, 3, 4]
    assert draw(labels, 2, 1).tolist() == [2, 0, 5, 3]


def test_draw_of_more_shots_than_there_are_takes_each_once() -> None:
    assert draw(["a", "a"], 5, 0).tolist() == [0, 1]


def test_json_has_the_shape_of_the_contract(folders: tuple[Path, Path]) -> None:
    support, query = folders
    arguments = ["--support", str(support), "--query", str(query), "--unknown", str(query), "--json"]
    run = CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    outcome = json.loads(run.stdout)
    assert set(outcome) == {"encoder", "rule", "views", "classes", "queries", "results"}
    assert (outcome["encoder"], outcome["classes"], outcome["queries"]) == ("compact", 3, 12)
    one, five = outcome["results"]
    assert (one["shots"], one["draws"], five["shots"], five["draws"]) == (1, 5, 5, 1)
    assert len(one["accuracy"]) == 5
    assert one["accuracy_mean"] == pytest.approx(np.mean(one["accuracy"]))
    assert set(five["report"]) == {"0", "1", "7", "macro avg", "weighted avg"}
    assert all(set(row) == {"precision", "recall", "f1", "support"} for row in five["report"].values())
    assert set(five["unknown"]) == {"auroc", "false_reject", "accepted_strangers", "predicted"}
    assert five["unknown"]["auroc"] == pytest.approx(0.5)  # the same pictures on both sides


def test_draws_are_one_only_where_every_support_is_used(folders: tuple[Path, Path]) -> None:
    support, query = folders
    (support / "0" / "4.png").unlink()
    arguments = ["--support", str(support), "--query", str(query), "--shots", "4,5", "--json"]
    four, five = json.loads(CliRunner().invoke(evaluate, arguments).stdout)["results"]
    assert (four["draws"], five["draws"]) == (5, 1)


def test_same_command_gives_the_same_figures(folders: tuple[Path, Path]) -> None:
    support, query = folders
    arguments = ["--support", str(support), "--query", str(query), "--json"]
    first, second = (CliRunner().invoke(evaluate, arguments, catch_exceptions=False) for _ in range(2))
    assert json.loads(first.stdout) == json.loads(second.stdout)


def test_broken_picture_is_named(folders: tuple[Path, Path]) -> None:
    support, query = folders
    (query / "0" / "broken.png").write_bytes(b"not a picture")
    run = CliRunner().invoke(evaluate, ["--support", str(support), "--query", str(query)])
    assert "broken.png" in str(run.exception)


def test_labelled_vectors_answer_with_their_own_label() -> None:
    vectors = np.eye(3, dtype=np.float32)
    answers = answers_of(Rule(), ["a", "b", "c"], vectors, vectors)
    assert [answer.label for answer in answers] == ["a", "b", "c"]
