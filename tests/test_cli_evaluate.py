"""`exemplar evaluate`: draws, metrics and its JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from supporting import units
from tiny import NETWORK, TINY, WEIGHTS

from cli.evaluate import evaluate, hold_out, summary
from cli.folders import Embedded
from cli.trial import Plan, Trial, calibration_error, draw, enrolled, try_out
from core.collections import Rule, RuleName
from core.errors import ExemplarError
from index.decide import classify

pytestmark = pytest.mark.usefixtures("light")

Digits = Callable[[int, int], bytes]
# more threads wait for each other, above all on a busy machine
OPENED = ("--encoder", TINY, "--threads", "1")
CLASSES = ("a", "b", "c", "d")


@pytest.fixture
def folders(tmp_path: Path, digits: Digits) -> tuple[Path, Path]:
    """Three digits: 5 supports and 4 queries of each."""
    for digit in (0, 1, 7):
        for n in range(9):
            folder = tmp_path / ("support" if n < 5 else "query") / str(digit)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{n}.png").write_bytes(digits(digit, n))
    return tmp_path / "support", tmp_path / "query"


def run(folders: tuple[Path, Path], *more: str) -> dict[str, Any]:
    arguments = ["--support", str(folders[0]), "--query", str(folders[1]), *OPENED]
    arguments += [*more, "--json"]
    outcome: dict[str, Any] = json.loads(
        CliRunner().invoke(evaluate, arguments, catch_exceptions=False).stdout
    )
    return outcome


def clustered(each: int, *, spread: float = 0.1, seed: int = 1) -> Embedded:
    """Pictures of four classes, each class around its own direction."""
    noise = units(4 * each, dim=16, seed=seed)
    vectors = np.eye(16, dtype=np.float32)[:4].repeat(each, axis=0) + spread * noise
    labels = [label for label in CLASSES for _ in range(each)]
    return Embedded(labels, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))


def test_draw_starts_where_the_last_one_ended_and_wraps_round() -> None:
    labels = ["a"] * 3 + ["b"] * 3
    assert draw(labels, {"a": 2, "b": 2}, 0).tolist() == [0, 1, 3, 4]
    assert draw(labels, {"a": 2, "b": 2}, 1).tolist() == [2, 0, 5, 3]


def test_draw_of_more_shots_than_there_are_takes_each_once() -> None:
    assert draw(["a", "a"], {"a": 5}, 0).tolist() == [0, 1]


def test_draw_of_uneven_counts_steps_by_each_class_own() -> None:
    assert draw(["a"] * 4 + ["b"] * 4, {"a": 3, "b": 1}, 1).tolist() == [3, 0, 1, 5]


def test_json_has_the_shape_of_the_contract(folders: tuple[Path, Path]) -> None:
    outcome = run(folders, "--unknown", str(folders[1]))
    assert set(outcome) == {"encoder", "rule", "views", "classes", "queries", "results"}
    assert (outcome["encoder"], outcome["classes"], outcome["queries"]) == (TINY, 3, 12)
    assert (outcome["rule"], outcome["views"]) == ("auto/cosine", 1)
    one, five = outcome["results"]
    assert (one["shots"], one["draws"], five["shots"], five["draws"]) == (1, 5, 5, 1)
    assert len(one["accuracy"]) == 5
    assert one["accuracy_mean"] == pytest.approx(np.mean(one["accuracy"]))
    assert set(five["report"]) == {"0", "1", "7", "macro avg", "weighted avg"}
    assert all(set(row) == {"precision", "recall", "f1", "support"} for row in five["report"].values())
    assert set(five["unknown"]) == {"auroc", "false_reject", "accepted_strangers", "predicted"}
    assert five["unknown"]["auroc"] == pytest.approx(0.5)  # the same pictures on both sides
    assert (five["rule_used"], five["smoothed"], five["uneven"]) == ("kernel", False, None)


def test_every_option_is_heard(folders: tuple[Path, Path]) -> None:
    more = ["--views", "full", "--rule", "prototype", "--metric", "mse", "--draws", "2", "--shots", "3"]
    outcome = run(folders, *more, "--uneven", "1", "--held-out", "1", "--smooth", "--false-reject", "0")
    assert (outcome["views"], outcome["rule"]) == ("full", "prototype/mse")
    assert (outcome["classes"], outcome["queries"]) == (2, 8)
    (result,) = outcome["results"]
    assert (result["draws"], result["unfamiliar"], result["smoothed"]) == (2, 4, True)
    assert (result["uneven"]["old_shots"], result["uneven"]["new_shots"]) == (3, 1)
    assert result["sets"] is None
    assert (result["unknown"]["false_reject"], result["unknown"]["accepted_strangers"]) == (0, 1)


def test_draws_are_one_only_where_every_support_is_used(folders: tuple[Path, Path]) -> None:
    (folders[0] / "0" / "4.png").unlink()
    four, five = run(folders, "--shots", "4,5")["results"]
    assert (four["draws"], five["draws"]) == (5, 1)


def test_same_command_gives_the_same_figures(folders: tuple[Path, Path]) -> None:
    assert run(folders) == run(folders)


def test_table_and_summary_fit_a_terminal(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EXEMPLAR_RUNTIME", "EXEMPLAR_PRECISION"):
        monkeypatch.setenv(name, "auto")  # as it is by default
    monkeypatch.chdir(WEIGHTS.parent)  # the name of an encoder is shown, however long it is
    support, query = folders
    for folder in folders:
        (folder / "7").rename(folder / ("seven, " * 20))
    arguments = ["--support", str(support), "--query", str(query), "--threads", "1"]
    arguments += ["--encoder", f"timm:{NETWORK}@{WEIGHTS.name}", "--held-out", "1", "--uneven", "1"]
    shown = CliRunner().invoke(evaluate, arguments, catch_exceptions=False).stdout
    assert "f1-score" in shown and "weighted avg" in shown and "auto/cosine (used: kernel)" in shown
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_smoothing_is_named_in_the_summary() -> None:
    results = [
        try_out(Plan(Rule(), 1, smooth=smooth), clustered(2), clustered(9))[0] for smooth in (True, False)
    ]
    outcome = {"encoder": "e", "rule": "auto/cosine", "views": 1, "classes": 4, "queries": 36}
    assert "smoothed" in summary({**outcome, "results": results[:1]})
    assert "smoothed" not in summary({**outcome, "results": results[1:]})


def test_broken_picture_is_named(folders: tuple[Path, Path]) -> None:
    support, query = folders
    (query / "0" / "broken.png").write_bytes(b"not a picture")
    done = CliRunner().invoke(evaluate, ["--support", str(support), "--query", str(query), *OPENED])
    assert "broken.png" in str(done.exception)


def test_queries_of_a_class_without_supports_are_refused(folders: tuple[Path, Path]) -> None:
    support, query = folders
    (support / "7").rename(support / "8")
    done = CliRunner().invoke(evaluate, ["--support", str(support), "--query", str(query), *OPENED])
    assert "got 7 as well; give pictures of no class with --unknown" in str(done.exception)


def test_unfamiliar_pictures_come_from_a_folder_or_from_the_classes(folders: tuple[Path, Path]) -> None:
    arguments = ["--support", str(folders[0]), "--query", str(folders[1]), "--unknown", str(folders[1])]
    done = CliRunner().invoke(evaluate, [*arguments, "--held-out", "1"])
    assert done.exit_code == 2 and "got both" in done.output


@pytest.mark.parametrize("shots", ["one", "0", "1,", "1,-5"])
def test_invalid_shots_are_refused(folders: tuple[Path, Path], shots: str) -> None:
    arguments = ["--support", str(folders[0]), "--query", str(folders[1]), "--shots", shots]
    assert "expected numbers" in str(CliRunner().invoke(evaluate, arguments).exception)


def test_held_out_classes_are_spread_evenly_and_not_enrolled() -> None:
    supports, queries, unfamiliar = hold_out(clustered(2), clustered(3), 2)
    assert supports.classes == queries.classes == ["a", "c"]
    assert unfamiliar.classes == ["b", "d"]
    assert len(unfamiliar.labels) == 6


def test_at_least_one_class_is_left(folders: tuple[Path, Path]) -> None:
    with pytest.raises(ExemplarError, match="expected fewer held-out classes than the 4 classes, got 4"):
        hold_out(clustered(2), clustered(2), 4)


@pytest.mark.parametrize("rule", list(RuleName))
def test_separate_clusters_are_classified_by_every_rule(rule: RuleName) -> None:
    unfamiliar = Embedded(["?"] * 20, units(20, dim=16, seed=7))
    metrics, best = try_out(Plan(Rule(rule), 5), clustered(8), clustered(10, seed=2), unfamiliar)
    assert metrics["accuracy_mean"] == 1.0
    assert best == clustered(10).labels
    assert metrics["unknown"]["auroc"] > 0.99
    assert metrics["unknown"]["accepted_strangers"] < 0.2
    assert metrics["accepted_at_target"] < 0.1
    assert metrics["sets"]["coverage"] > 0.8 and metrics["sets"]["size"] >= 1


def test_accuracy_counts_the_best_candidate_whatever_was_decided() -> None:
    metrics, _ = try_out(Plan(Rule(certainty=1), 1), clustered(1), clustered(4))
    assert metrics["accuracy_mean"] == 1.0
    assert (metrics["decisions"]["known"], metrics["decisions"]["ambiguous"]) == (0, 1)
    assert metrics["decisions"]["right_of_known"] is None


def test_uneven_counts_go_to_every_second_class() -> None:
    plan = Plan(Rule(), 5, uneven=1)
    assert plan.counts(CLASSES) == {"a": 5, "b": 1, "c": 5, "d": 1}
    metrics, _ = try_out(plan, clustered(5), clustered(6, spread=2.5))
    recalls = [metrics["report"][label]["recall"] for label in CLASSES]
    assert metrics["draws"] == 5
    assert 0 < metrics["uneven"]["new_recall"] <= 1
    first = try_out(Plan(Rule(), 5, uneven=1, draws=1), clustered(5), clustered(6, spread=2.5))[0]
    assert first["uneven"]["old_recall"] == pytest.approx((recalls[0] + recalls[2]) / 2)
    assert first["uneven"]["new_recall"] == pytest.approx((recalls[1] + recalls[3]) / 2)


def test_smoothing_answers_alike_what_looks_alike() -> None:
    supports, queries = clustered(1, spread=1.2, seed=4), clustered(40, spread=1.2, seed=5)
    plain, smoothed = (try_out(Plan(Rule(), 1, smooth=on), supports, queries)[0] for on in (False, True))
    assert smoothed["accuracy_mean"] > plain["accuracy_mean"]


def test_calibration_error_is_the_gap_between_probability_and_truth() -> None:
    answers = classify(enrolled(clustered(1)), Rule(), clustered(1).vectors, top=1)
    trial = Trial(answers, [], ["a", "a", "b", "b"], np.array([1.0, 1.0, 0.5, 0.5]))
    assert calibration_error(["a", "x", "b", "x"], trial) == pytest.approx(0.25)
    assert calibration_error(["a", "a", "b", "x"], trial) == pytest.approx(0.0)
