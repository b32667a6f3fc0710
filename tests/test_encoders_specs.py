"""Specs of concatenated encoders in queue names, settings and the list of encoders."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cli.encoders import encoders
from core.errors import ExemplarError
from core.jobs import Lane
from core.settings import read_settings
from core.specs import PACKAGED, RECOMMENDED, EncoderSpec, encoder_line
from store.migrate import ensure_schema
from store.queue.wake_ups import queue_of
from store.record.probes import Probe
from store.store import open_store
from tests.shapes import SPEC

LITE0 = PACKAGED[1]
DEIT = "timm:deit_tiny_patch16_224@/models/a+b.safetensors"
CLIP = "open_clip:ViT-B-32/laion2b_s34b_b79k"
BOTH = f"concat:{CLIP}+{DEIT}"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"concat:{LITE0}+timm:resnet50", [LITE0, "timm:resnet50"]),
        (BOTH, [CLIP, DEIT]),
        (f"concat:{DEIT}+{LITE0}", [DEIT, LITE0]),
        (f"concat:{DEIT}+{CLIP}+{LITE0}", [DEIT, CLIP, LITE0]),
        (f"concat:timm:a@b+{LITE0}.pth+{LITE0}", [f"timm:a@b+{LITE0}.pth", LITE0]),
    ],
)
def test_a_concat_reads_as_it_is_written(text: str, parts: list[str]) -> None:
    spec = EncoderSpec.parse(text)
    assert [str(part) for part in spec.parts] == parts
    assert str(spec) == text
    assert EncoderSpec.parse(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("concat:", "two or more"),
        (f"concat:{LITE0}", "two or more"),
        (f"concat:{DEIT}", "two or more"),
        (f"concat:{LITE0}+{LITE0}", "twice"),
        (f"concat:{LITE0}+concat:{CLIP}+{DEIT}", "within a concat"),
        (f"concat:concat:{LITE0}+timm:a", "within a concat"),
        (f"concat:{LITE0}+keras:resnet50", "'keras:resnet50'"),
        (f"concat:{LITE0}+timm:a+", "'timm:a\\+'"),
        (f"concat:+{LITE0}+timm:a", "''"),
        (f"concat:{LITE0}++timm:a", f"'{LITE0}\\+'"),
        (f"{LITE0}+timm:a", f"{LITE0}\\+timm:a"),
        ("concat", "'concat'"),
    ],
)
def test_a_concat_of_nonsense_is_refused(text: str, why: str) -> None:
    with pytest.raises(ExemplarError, match=why) as caught:
        EncoderSpec.parse(text)
    assert caught.value.code == "encoder_unknown"


@pytest.mark.parametrize(
    ("spec", "advised"), [(LITE0, True), (f"concat:{LITE0}+{DEIT}", True), (CLIP, False)]
)
def test_line_about_an_encoder_advises_a_better_one_where_there_is_one(spec: str, advised: bool) -> None:
    line = encoder_line(spec, "exemplar up --encoders")
    assert line.startswith(f"encoder {spec}")
    assert (f"exemplar up --encoders {RECOMMENDED}" in line) is advised


@pytest.mark.usefixtures("light")
def test_the_list_of_encoders_says_how_the_record_has_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EXEMPLAR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("EXEMPLAR_ENCODERS", SPEC)
    monkeypatch.setenv("EXEMPLAR_DEVICE", "cpu")

    def listed() -> dict[str, str]:
        ran = CliRunner().invoke(encoders, ["list", "--open", "--json"])
        return json.loads(ran.stdout)["offered"][0]

    first = listed()
    assert first["in the record"] == "" and not (tmp_path / "data").exists()
    (tmp_path / "data").mkdir()
    store = open_store(read_settings())
    ensure_schema(store.database)
    vector = np.array([1, 0], np.float32)
    store.probes.put(SPEC, Probe(vector, first["identity here"]))
    assert listed()["in the record"] == "the same"
    store.probes.put(SPEC, Probe(vector, "another machine's"))
    assert listed()["in the record"] == "another machine's"


def test_a_concat_has_a_queue_of_its_own_in_each_lane() -> None:
    names = {queue_of(lane, spec) for lane in Lane for spec in (BOTH, CLIP, DEIT, f"concat:{DEIT}+{CLIP}")}
    assert len(names) == 8
    assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in names)  # Celery takes them comma separated


def test_a_concat_may_stand_in_the_list_of_encoders() -> None:
    settings = read_settings({"EXEMPLAR_ENCODERS": f"{BOTH}, {LITE0},{CLIP}"})
    assert settings.encoders == (BOTH, LITE0, CLIP)


def test_the_list_of_encoders_shows_what_each_looks_at_and_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXEMPLAR_ENCODERS", f"concat:{LITE0}+{SPEC},{SPEC},concat:{LITE0}")
    monkeypatch.setenv("EXEMPLAR_DEVICE", "cpu")
    monkeypatch.setenv("EXEMPLAR_PRECISION", "fp32")
    monkeypatch.setenv("EXEMPLAR_RUNTIME", "torch")
    monkeypatch.setenv("COLUMNS", "400")
    ran = CliRunner().invoke(encoders, ["list", "--open"])
    assert ran.exit_code == 0, ran.output
    assert re.search(r"1312 +224 x 224 \+ 64 x 64 +no +concat.*torch fp32", ran.output)
    assert re.search(r"32 +64 x 64 +yes +.*torch fp32", ran.output)
    assert "expected concat:A+B" in ran.output
    assert "concat:A+B" in ran.output
