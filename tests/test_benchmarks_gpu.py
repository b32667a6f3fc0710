"""The benchmark of a GPU, run on a CPU: all of it but the CUDA calls."""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import redirect_stdout
from io import StringIO

import pytest
from services import forked_stack

from benchmarks.gpu import advice


@pytest.fixture(scope="module")
def printed() -> str:
    from benchmarks import common
    from benchmarks.gpu.__main__ import main

    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's compiler
        patch.setattr(sys, "argv", ["benchmarks.gpu", "--device", "cpu", "--quick"])
        patch.setattr(common, "Stack", forked_stack)
        main()
    return out.getvalue()


def lines_of(printed: str, benchmark: str) -> list[dict]:
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return [line for line in lines if line["benchmark"] == benchmark]


@pytest.mark.processes
def test_every_part_runs_on_a_cpu(printed: str) -> None:
    models = [(line["precision"], line["batch"]) for line in lines_of(printed, "gpu_model")]
    assert models == [(precision, batch) for precision in ("fp32", "bf16", "fp16") for batch in (1, 4)]
    for part in ("gpu_decode", "gpu_faiss", "gpu_service"):
        assert len(lines_of(printed, part)) == 1, part
    tunings = [line["tuning"] for line in lines_of(printed, "gpu_tuning")]
    assert tunings == ["contiguous", "pinned", "compiled"]


@pytest.mark.processes
def test_only_graphs_are_left_out_on_a_cpu(printed: str) -> None:
    skipped = [line for line in lines_of(printed, "gpu") if "skipped" in line]
    assert [line["tuning"] for line in skipped] == ["graph", "compiled-graph"]
    assert {line["reason"] for line in skipped} == {"UnavailableError: CUDA graphs need CUDA"}


@pytest.mark.processes
def test_vectors_agree_in_every_way(printed: str) -> None:
    for part in ("gpu_model", "gpu_decode", "gpu_tuning"):
        for line in lines_of(printed, part):
            assert line["least_cosine"] > 0.999, line


@pytest.mark.processes
def test_it_ends_with_advice_on_each_tuning(printed: str) -> None:
    said = [
        line.removeprefix("- ").partition(":")[0] for line in printed.splitlines() if line.startswith("- ")
    ]
    assert said == ["tiny", "tiny", "tiny, sports", *advice.THEN]


def test_a_tuning_is_advised_where_all_networks_gain() -> None:
    assert advice.of_tuning("pinned", {"a": 1.2, "b": 1.0}).endswith(advice.THEN["pinned"])


def test_a_tuning_is_not_advised_where_none_gains() -> None:
    assert advice.of_tuning("pinned", {"a": 1.01, "b": 0.9}).endswith("leave it as it is")


def test_a_tuning_is_advised_for_some_networks_where_others_lose() -> None:
    assert "mixed" in advice.of_tuning("compiled", {"a": 2.0, "b": 0.8})


def test_the_smallest_batch_that_is_nearly_the_fastest_is_named() -> None:
    assert "batches of 32 reach 0.96" in advice.of_batches("a", {1: 100, 32: 960, 128: 1000})


def test_decoding_on_the_device_is_compared_with_what_limits_the_service() -> None:
    rates = {"cpu_decode": 500.0, "embed": 2000.0, "device_decode_then_embed": 1000.0}
    assert "2.00 times as fast: decode JPEGs there" in advice.of_decoding("a", rates)
