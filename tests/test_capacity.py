"""Sizing: the arithmetic of `exemplar plan`, and the simulation that checks it."""

from __future__ import annotations

import json
import math

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation import Load, Site, Times, simulate
from cli.capacity import SPEEDS, Target, plan, wait_p95_s
from cli.main import exemplar

FREE = Times(claim_s=0, settle_s=0, load_s=0, embed_s=0.01, decide_s=0, idle_s=0, embeds_on_core=False)


def test_wait_for_a_nearly_idle_worker_is_zero() -> None:
    assert wait_p95_s(rate=1, service_s=0.01, workers=1) == 0.0


def test_one_worker_waits_as_the_textbook_says() -> None:
    # M/M/1 at 80 %: P(wait > t) = 0.8 exp(-(c - a) t / s)
    assert wait_p95_s(80, 0.01, 1) == pytest.approx(math.log(0.8 / 0.05) * 0.01 / 0.2)


def test_overload_means_an_infinite_wait() -> None:
    assert wait_p95_s(101, 0.01, 1) == math.inf


@given(st.floats(1e3, 1e9), st.floats(1, 8))
def test_plan_has_room_and_more_pictures_never_take_fewer_workers(pictures: float, peak: float) -> None:
    speed = SPEEDS["vit-b-32"]
    need = plan(Target(pictures, peak=peak), speed)
    assert need.pictures_per_s * speed.cpu_ms / 1000 / need.workers <= 0.7 + 1e-9
    assert need.p95_ms <= 500
    assert plan(Target(pictures * 2, peak=peak), speed).workers >= need.workers


def test_simulated_bulk_work_is_shared_out_evenly() -> None:
    for workers in (1, 2, 8):
        seen = simulate(Load(bulk_chunks=64), Site(workers=workers, cores=8), FREE)
        assert seen.items == 64 * 64
        assert seen.items / seen.ended_s == pytest.approx(workers * 100, rel=0.01)


def test_simulated_record_that_is_full_is_the_limit() -> None:
    slow = Times(claim_s=0.5, settle_s=0.5, load_s=0, embed_s=0.0001, decide_s=0, embeds_on_core=False)
    seen = simulate(Load(bulk_chunks=40), Site(workers=16, cores=16), slow)
    assert seen.record_busy_s / seen.ended_s > 0.95


def test_simulated_people_go_before_bulk_work_and_none_is_lost() -> None:
    load = Load(bulk_chunks=50, interactive_per_s=20, for_s=5)
    seen = simulate(load, Site(workers=1, cores=2), FREE, seed=3)
    assert seen.items == 50 * 64 + len(seen.waits_s)
    most_s = (2 * 64 - 1) * 0.01  # one batch, whose last chunk may exceed its size
    assert max(seen.waits_s) < 3 * most_s  # the batch in the encoder, the one being loaded, and itself
    assert max(seen.waits_s) < seen.ended_s / 5


def test_simulation_repeats_with_its_seed() -> None:
    load = Load(interactive_per_s=50, for_s=3)
    waits = [simulate(load, Site(workers=1), FREE, seed=7).waits_s for _ in range(2)]
    assert waits[0] == waits[1]


def test_plan_is_printed_for_people_and_for_programs() -> None:
    run = CliRunner().invoke(exemplar, ["plan", "--per-day", "1000000", "--encoder", "vit-b-32"])
    assert run.exit_code == 0, run.output
    assert "workers, one core each" in run.output
    run = CliRunner().invoke(exemplar, ["plan", "--per-day", "1000000", "--json"])
    assert json.loads(run.output)["workers"] >= 1


def test_own_measurement_takes_the_place_of_ours() -> None:
    asked = ["plan", "--per-day", "10000000", "--json"]
    ours, slower = (
        json.loads(CliRunner().invoke(exemplar, [*asked, *more]).output) for more in ([], ["--cpu-ms", "187"])
    )
    assert slower["workers"] > 5 * ours["workers"]
