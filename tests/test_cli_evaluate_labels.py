"""`exemplar evaluate` on manifests of several labels a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import TINY

from cli.evaluate import evaluate
from cli.label_manifests import read_label_manifest
from cli.label_trial import Labelled, draw_labels, rows_by_label, try_out_labels
from core.collections import Rule
from core.errors import ExemplarError
from core.label_sets import with_parents
from index.label_metrics import Judged, average_precision, calibration_error, numbers

pytestmark = pytest.mark.usefixtures("light")

Digits = Callable[[int, int], bytes]
Rows = Sequence[Sequence[str]]


def write(path: Path, rows: Rows) -> Path:
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return path


@pytest.fixture
def manifests(tmp_path: Path, digits: Digits) -> tuple[Path, Path]:
    """Three digits, each with a label for itself and one for whether it is even: 5 supports, 3 queries."""
    rows: dict[str, list[Sequence[str]]] = {"support": [["path", "labels"]], "query": [["path", "labels"]]}
    (tmp_path / "pictures").mkdir()
    for digit, labels in ((0, "zero;even"), (1, "one;odd"), (7, "seven;odd")):
        for n in range(8):
            name = f"pictures/{digit}-{n}.png"
            (tmp_path / name).write_bytes(digits(digit, n))
            rows["support" if n < 5 else "query"].append([name, labels])
    return tuple(write(tmp_path / f"{name}.csv", some) for name, some in rows.items())  # type: ignore[return-value]


def run(manifests: tuple[Path, Path], *more: str) -> Any:
    arguments = ["--support-manifest", str(manifests[0]), "--query-manifest", str(manifests[1])]
    return CliRunner().invoke(
        evaluate, [*arguments, "--encoder", TINY, "--threads", "1", *more], catch_exceptions=False
    )


def failed(manifests: tuple[Path, Path], *more: str) -> str:
    arguments = ["--support-manifest", str(manifests[0]), "--query-manifest", str(manifests[1])]
    done = CliRunner().invoke(evaluate, [*arguments, "--encoder", TINY, "--threads", "1", *more])
    return str(done.exception) if done.exit_code == 1 else done.output


def test_json_has_the_shape_of_the_contract(manifests: tuple[Path, Path]) -> None:
    outcome = json.loads(run(manifests, "--json", "--shots", "1,10").stdout)
    assert set(outcome) == {"encoder", "rule", "views", "labels", "queries", "results"}
    assert (outcome["encoder"], outcome["labels"], outcome["queries"]) == (TINY, 5, 9)
    assert (outcome["rule"], outcome["views"]) == ("auto/best F1", 1)
    one, ten = outcome["results"]
    assert (one["shots"], one["draws"], ten["shots"], ten["draws"]) == (1, 5, 10, 1)
    assert {"map", "micro_f1", "macro_f1", "subset_accuracy", "per_label", "ece"} <= set(ten)
    assert set(ten["per_label"]) == {"even", "odd", "one", "seven", "zero"}
    keys = {"precision", "recall", "f1", "average_precision", "support"}
    assert all(set(row) == keys for row in ten["per_label"].values())
    assert (ten["per_label"]["odd"]["support"], ten["per_label"]["one"]["support"]) == (6, 3)
    assert ten["map"] > 0.9 and ten["micro_f1"] > 0.8 and 0 <= ten["ece"] < 0.3
    assert ten["rule_used"] == "kernel"


def test_same_command_gives_the_same_figures(manifests: tuple[Path, Path]) -> None:
    assert run(manifests, "--json").stdout == run(manifests, "--json").stdout


def test_text_names_every_label_and_fits_a_terminal(manifests: tuple[Path, Path]) -> None:
    shown = run(manifests, "--shots", "2", "--draws", "1").stdout
    assert "5 labels, 9 queries" in shown and "mAP: mean over" in shown
    assert all(label in shown for label in ("even", "odd", "one", "seven", "zero"))
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_precision_is_an_aim(manifests: tuple[Path, Path]) -> None:
    outcome = json.loads(run(manifests, "--json", "--aim", "precision", "--precision", "0.95").stdout)
    assert outcome["rule"] == "auto/precision 0.95"


def test_folders_and_manifests_do_not_mix(manifests: tuple[Path, Path], tmp_path: Path) -> None:
    folder = str(tmp_path / "pictures")
    assert "expected --support and --query, or" in failed(manifests, "--support", folder, "--query", folder)
    assert "--smooth goes with folders only" in failed(manifests, "--smooth")
    done = CliRunner().invoke(evaluate, ["--support-manifest", str(manifests[0])])
    assert "expected both --support-manifest and --query-manifest, got one" in done.output
    done = CliRunner().invoke(evaluate, ["--support", folder, "--query", folder, "--aim", "f1"])
    assert "--aim goes with manifests only" in done.output
    assert "expected --support and --query" in CliRunner().invoke(evaluate, []).output


BAD_ROWS = [
    ([["path"], ["0-0.png"]], "expected a first line with path and labels"),
    ([["path", "labels", "colour"]], "expected a first line with path and labels"),
    ([["path", "labels"], ["none.png", "a"]], "line 2: expected the path of a picture, got 'none.png'"),
    ([["path", "labels"], ["0-0.png", "a", "b"]], "line 2: expected 2 cells, got 3"),
    (
        [["path", "labels", "complete"], ["0-0.png", "a", "maybe"]],
        "line 2: expected true or false in complete",
    ),
    ([["path", "labels", "complete"], ["0-0.png", "", "false"]], "line 2: expected labels, or complete=true"),
    ([["path", "labels"], ["0-0.png", "a//b"]], "line 2: expected a label without empty parts"),
    ([["path", "labels"], ["0-0.png", "a" * 129]], "line 2: expected a label of at most 128 characters"),
    ([["path", "labels"]], "expected pictures, got none"),
    ([["path", "labels"], ['"0-0.png', "a"]], "line 2: expected CSV"),
]


@pytest.mark.parametrize(("rows", "message"), BAD_ROWS)
def test_bad_row_is_a_plain_error(tmp_path: Path, digits: Digits, rows: Rows, message: str) -> None:
    (tmp_path / "0-0.png").write_bytes(digits(0, 0))
    manifest = write(tmp_path / "bad.csv", rows)
    with pytest.raises(ExemplarError) as raised:
        read_label_manifest(manifest, complete=False)
    assert message in raised.value.message and "bad.csv" in raised.value.message


def test_manifest_says_what_is_complete(tmp_path: Path, digits: Digits) -> None:
    for n in range(4):
        (tmp_path / f"{n}.png").write_bytes(digits(0, n))
    rows = [["path", "labels", "complete"], ["0.png", "b; a", ""], ["1.png", "", ""], ["2.png", "a/b", "yes"]]
    found = read_label_manifest(write(tmp_path / "m.csv", [*rows, ["0.png", "c", "false"]]), complete=False)
    assert [(one.labels, one.complete) for one in found] == [
        (("a", "b", "c"), False),
        ((), True),
        (("a", "a/b"), True),
    ]


def test_manifest_may_be_of_tabs_or_semicolons(tmp_path: Path, digits: Digits) -> None:
    (tmp_path / "0.png").write_bytes(digits(0, 0))
    for text in ("path\tlabels\n0.png\ta;b\n", 'sep=;\npath;labels\n0.png;"a;b"\n'):
        (tmp_path / "m.csv").write_text(text)
        (one,) = read_label_manifest(tmp_path / "m.csv", complete=True)
        assert (one.labels, one.complete) == (("a", "b"), True)


def test_queries_with_labels_that_no_support_has_are_refused(manifests: tuple[Path, Path]) -> None:
    manifests[1].write_text(manifests[1].read_text() + "pictures/0-0.png,round\n")
    assert "expected every label of --query-manifest in --support-manifest, got round" in failed(manifests)


def test_label_implies_its_parents() -> None:
    assert tuple(sorted(with_parents(["animal/dog/poodle", "ball"]))) == (
        "animal",
        "animal/dog",
        "animal/dog/poodle",
        "ball",
    )


def labelled(labels: Sequence[Sequence[str]], complete: bool = True) -> Labelled:
    vectors = np.eye(8, dtype=np.float32)[: len(labels)]
    return Labelled([tuple(sorted(some)) for some in labels], [complete] * len(labels), vectors)


def test_draw_takes_pictures_in_which_a_label_is_positive() -> None:
    rows = rows_by_label(labelled([["a"], ["a", "b"], ["b"], ["a"], []]))
    assert draw_labels(rows, 1, 0).tolist() == [0, 1, 4]
    assert draw_labels(rows, 1, 1).tolist() == [1, 2, 4]
    assert draw_labels(rows, 2, 1).tolist() == [0, 1, 2, 3, 4]


def test_metrics_are_those_of_the_definitions() -> None:
    truth = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], np.int8)
    probabilities = np.array([[0.9, 0.6], [0.4, 0.8], [0.5, 0.7], [0.1, 0.2]])
    judged = Judged(truth, probabilities, probabilities >= 0.5)
    found = numbers(judged, ["a", "b"])
    assert found["per_label"]["a"] == {
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "average_precision": pytest.approx((1 + 2 / 3) / 2),
        "support": 2,
    }
    assert found["per_label"]["b"]["precision"] == pytest.approx(2 / 3)
    assert found["micro_f1"] == pytest.approx(2 * 3 / (5 + 4))
    assert found["macro_f1"] == pytest.approx((0.5 + 0.8) / 2)
    assert found["map"] == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    assert found["subset_accuracy"] == 0.25


def test_what_is_not_stated_is_not_judged() -> None:
    truth = np.array([[1, -1], [-1, 1], [0, 0]], np.int8)
    probabilities = np.array([[0.9, 0.9], [0.9, 0.9], [0.1, 0.1]])
    judged = Judged(truth, probabilities, probabilities > 0.5)
    found = numbers(judged, ["a", "b"])
    assert (found["micro_f1"], found["map"], found["subset_accuracy"]) == (1.0, 1.0, 1.0)
    assert calibration_error(judged) == pytest.approx(0.1)
    assert average_precision(Judged(truth - 1, probabilities, judged.given), 0) is None


def test_average_precision_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    for _ in range(100):
        truth = rng.integers(0, 2, (rng.integers(1, 40), 1)).astype(np.int8)
        truth[0] = 1
        probabilities = rng.integers(0, 9, truth.shape) / rng.choice([8, 9.5])  # many are equal
        found = average_precision(Judged(truth, probabilities, probabilities > 0.5), 0)
        assert found == pytest.approx(average_precision_score(truth[:, 0], probabilities[:, 0]))


def test_pictures_with_none_of_the_labels_are_negative_examples() -> None:
    supports = labelled([["a"], ["b"], ["a", "b"], [], []])
    result = try_out_labels(Rule(), 2, None, supports, supports)
    assert result["draws"] == 1
    assert result["per_label"]["a"]["recall"] == 1.0


def test_tiles_of_queries_are_looked_at(manifests: tuple[Path, Path]) -> None:
    one, tiles = (
        json.loads(run(manifests, "--json", "--shots", "3", "--draws", "1", *more).stdout)
        for more in ((), ("--views", "tiles"))
    )
    assert (one["views"], tiles["views"]) == (1, "tiles")
    assert one["results"][0]["ece"] != tiles["results"][0]["ece"]
    assert tiles["results"][0]["map"] > 0.8


def test_tiles_need_manifests(tmp_path: Path) -> None:
    folders = ["--support", str(tmp_path), "--query", str(tmp_path)]
    done = CliRunner().invoke(evaluate, [*folders, "--views", "tiles"])
    assert done.exit_code == 2 and "--views tiles goes with manifests only" in done.output
