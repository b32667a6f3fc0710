"""Quality at the door: what is found, what is refused, and what a dry run says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from picture_files import encode
from PIL import Image, ImageFilter
from supporting import replica_of
from tiny import DEFAULT
from working import ToyEncoder, submit, tools_with

from benchmarks.common import load_digits_once
from core.collections import Rule
from core.jobs import JobKind
from core.picture_quality import findings_of, measure
from core.quality import FindingCode, Quality, pack_quality, unpack_quality
from core.settings import Settings
from index.door import examine
from store.store import Store
from worker.pipeline import run_pipeline
from worker.tools import Tools

SIDE = 96


def textured(seed: int = 0, side: int = SIDE) -> Image.Image:
    """Return a picture with edges everywhere: enlarged digits on noise."""
    rng = np.random.default_rng(seed)
    digit = np.kron(load_digits_once()[seed] / 16 * 120, np.ones((side // 8, side // 8)))
    return Image.fromarray((digit + rng.uniform(0, 110, (side, side))).astype(np.uint8)).convert("RGB")


def plain(grey: int, side: int = 64) -> Image.Image:
    return Image.new("RGB", (side, side), (grey,) * 3)


def codes(picture: Image.Image, **limits: Any) -> list[str]:
    return [finding.code.value for finding in findings_of(measure(picture), Quality(**limits))]


def test_good_picture_has_no_findings() -> None:
    assert [codes(textured(seed)) for seed in range(5)] == [[]] * 5


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda picture: picture.resize((20, 20)), "too_small"),
        (lambda picture: picture.filter(ImageFilter.GaussianBlur(3)), "blurred"),
        (lambda picture: picture.point(lambda light: light // 8), "too_dark"),
        (lambda picture: picture.point(lambda light: 200 + light // 5), "too_bright"),
    ],
)
def test_fault_is_found_and_its_limit_can_be_set(spoil: Any, code: str) -> None:
    bad = spoil(textured())
    assert code in codes(bad)
    off = {"too_small": {"min_side": 0}, "blurred": {"min_sharpness": 0}, "too_dark": {"min_light": 0}}
    assert code not in codes(bad, **off.get(code, {"max_light": 255}))


def test_sharpness_does_not_depend_on_size_or_contrast() -> None:
    small, pale = textured(), textured().point(lambda light: 100 + light // 4)
    assert measure(pale).sharpness == pytest.approx(measure(small).sharpness, abs=0.1)
    assert measure(Image.new("RGB", (200, 200))).sharpness == 0.0
    assert measure(Image.new("RGB", (5, 3))).sharpness in (0.0, 1.0)


def test_settings_come_back_from_their_json() -> None:
    quality = Quality(refuse=(FindingCode.BLURRED,), min_side=10)
    assert unpack_quality(pack_quality(quality)) == quality
    assert unpack_quality(None) == Quality()
    assert unpack_quality({"min_side": 7, "of_later_versions": 1}).min_side == 7


def cluster(column: int, count: int, seed: int, spread: float = 0.2) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 16)) * spread + np.eye(16)[column]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_twin_conflict_and_outlier_are_found_by_comparison() -> None:
    vectors = np.concatenate([cluster(column, 8, column) for column in range(4)])
    replica = replica_of(vectors, np.repeat(np.arange(1, 5), 8).tolist())
    labels = {id_: one.label for id_, one in replica.classes.items()}
    clean, strange = cluster(0, 1, 99)[0], cluster(10, 1, 5)[0]
    near = vectors[8] + 1e-2 * cluster(0, 1, 7)[0]
    asked = [
        (clean, labels[1]),
        (clean, labels[3]),
        (strange, labels[1]),
        (vectors[8], labels[1]),
        (near / np.linalg.norm(near), labels[1]),
        (clean, "new"),
    ]
    rows = np.stack([vector for vector, _ in asked]).astype(np.float32)
    found = examine(replica, rows, [name for _, name in asked], Quality())
    said = [{finding.code.value: finding for finding in some} for some in found]
    assert said[0] == {} and said[5] == {}
    assert said[1]["label_conflict"].label == labels[1]
    assert "unlike_its_class" in said[2]
    assert said[3]["label_conflict"].support_id == 9 and said[3]["label_conflict"].label == labels[2]
    assert said[4]["near_duplicate_of_other_class"].support_id == 9
    assert said[4]["near_duplicate_of_other_class"].value > said[4]["near_duplicate_of_other_class"].limit


def test_empty_collection_compares_with_nothing() -> None:
    replica = replica_of(np.empty((0, 16), np.float32), [])
    assert examine(replica, cluster(0, 2, 0), ["a", "b"], Quality()) == [(), ()]


@pytest.fixture
def tools(settings: Settings, store: Store) -> Iterator[Tools]:
    store.collections.create("things", DEFAULT, Rule(false_reject=0.0))
    with tools_with(settings, store, ToyEncoder()) as tools:
        yield tools


def work(tools: Tools) -> None:
    while run_pipeline(tools, DEFAULT):
        pass


def enrol(tools: Tools, kind: JobKind, *pictures: Image.Image, label: str = "cat") -> list[dict[str, Any]]:
    job = submit(tools.store, kind, *map(encode, pictures), label=label)
    work(tools)
    return [dict(result) for result in tools.store.jobs.results(job).results]


def test_findings_warn_and_refuse_only_by_setting(tools: Tools, local: httpx.Client) -> None:
    good, small = textured(1), textured(2).resize((20, 20))
    first = enrol(tools, JobKind.ENROLL, good, small)
    assert [one["status"] for one in first] == ["done", "done"]
    assert first[0]["findings"] == []
    assert first[1]["findings"][0] == {"code": "too_small", "value": 20, "limit": 48}
    answer = local.patch("/v1/collections/things", json={"quality": {"refuse": ["too_small"]}})
    assert answer.json()["quality"]["refuse"] == ["too_small"]
    local.patch("/v1/collections/things", json={"quality": {"min_side": 30}})
    assert local.get("/v1/collections/things").json()["quality"]["refuse"] == ["too_small"]
    before = tools.store.collections.get("things").version
    good, bad = enrol(tools, JobKind.ENROLL, textured(3), textured(4).resize((24, 24)), label="dog")
    assert (good["status"], bad["status"]) == ("done", "failed")
    assert bad["error"]["code"] == "picture_refused"
    assert "too_small: 24, limit 30" in bad["error"]["detail"]
    assert bad["findings"][0]["code"] == "too_small"
    assert tools.store.collections.get("things").version == before + 1  # only the support that was kept


def test_check_says_the_same_and_adds_nothing(tools: Tools, local: httpx.Client) -> None:
    store = tools.store
    for label, grey in (("dark", 60), ("light", 180)):
        enrol(tools, JobKind.ENROLL, *(plain(grey + n) for n in range(6)), label=label)
    store.collections.change("things", quality={"refuse": (FindingCode.TOO_SMALL,)})
    before = store.collections.get("things")
    parts = [("image", ("a.png", encode(plain(58)))), ("image", ("b.png", encode(plain(58, side=8))))]
    path = "/v1/collections/things/enroll"
    asked = local.post(path, params={"dry_run": True}, files=parts, data={"label": "new"})
    assert asked.status_code == 202, asked.text
    job = asked.json()
    assert job["kind"] == "check"
    work(tools)
    kept, refused = local.get(f"/v1/jobs/{job['id']}/results").json()["items"]
    assert (kept["status"], kept["label"]) == ("done", "new") and "support_id" not in kept
    assert refused["error"]["code"] == "picture_refused"
    after = store.collections.get("things")
    assert (after.version, after.supports, after.classes) == (before.version, before.supports, before.classes)
    summary = local.get(f"/v1/jobs/{job['id']}/summary").json()
    assert summary["findings"] == dict.fromkeys((one["code"] for one in kept["findings"]), 1)

    effect = local.post(f"/v1/jobs/{job['id']}/effect")
    assert effect.status_code == 202, effect.text
    work(tools)
    [told] = local.get(f"/v1/jobs/{effect.json()['id']}/results").json()["items"]
    assert (told["effect"]["added"], told["effect"]["judged"], told["effect"]["before"]) == (1, 12, 1.0)
    assert told["effect"]["version"] == before.version
    classified = submit(store, JobKind.CLASSIFY, encode(textured()))
    work(tools)
    wrong = local.post(f"/v1/jobs/{classified}/effect")
    assert (wrong.status_code, wrong.json()["code"]) == (409, "job_state_invalid")


def test_unknown_settings_are_refused(local: httpx.Client) -> None:
    for quality in ({"refuse": ["ugly"]}, {"min_side": -1}, {"sharpness": 1}):
        answer = local.post("/v1/collections", json={"name": "x", "quality": quality})
        assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    quality = {"refuse": ["blurred"], "min_light": 1}
    made = local.post("/v1/collections", json={"name": "x", "quality": quality})
    assert made.status_code == 201, made.text
    assert (made.json()["quality"]["refuse"], made.json()["quality"]["min_light"]) == (["blurred"], 1)
