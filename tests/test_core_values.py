"""Specs, errors and vectors."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import ExemplarError, error_of, problem_of
from core.jobs import Item
from core.results import failed_result
from core.specs import PACKAGED, EncoderSpec
from core.vectors import check_vector, is_unit, pack_vector, unpack_vector


@pytest.mark.parametrize(
    "text",
    [
        *PACKAGED,
        "open_clip:ViT-B-32/laion2b_s34b_b79k",
        "open_clip:ViT-B-32@weights.safetensors",
        "open_clip:ViT-B-32/openai@/models/a b/clip.pt",
        "timm:beit_base_patch16_224.in22k_ft_in22k",
        "timm:resnet50@resnet50.safetensors",
    ],
)
def test_spec_reads_as_it_is_written(text: str) -> None:
    assert str(EncoderSpec.parse(text)) == text


def test_spec_has_kind_name_tag_and_file() -> None:
    spec = EncoderSpec.parse("open_clip:ViT-B-32/openai@clip.pt")
    assert spec == EncoderSpec("open_clip", "ViT-B-32", "openai", "clip.pt")


@pytest.mark.parametrize(
    "text", ["", "clip", "keras:resnet50", "timm:", "timm:a b", "timm:a@b@c", f"{PACKAGED[0]}\n"]
)
def test_unusable_spec_is_refused(text: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        EncoderSpec.parse(text)
    assert caught.value.code == "encoder_unknown"


@pytest.mark.parametrize("retry", [True, False])
def test_error_survives_being_a_problem_object(retry: bool) -> None:
    error = ExemplarError("queue_full", "try again later", retry=retry)
    again = error_of(problem_of(error))
    assert (again.code, again.message, again.retry) == ("queue_full", "try again later", retry)


def test_problem_object_has_a_stable_type_and_a_title() -> None:
    problem = problem_of(ExemplarError("label_too_long", "expected less"))
    assert problem["type"] == "urn:exemplar:problem:label_too_long"
    assert problem["title"] == "Label too long"
    assert "status" not in problem


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("name_invalid", "Invalid name"),
        ("merge_invalid", "Cannot merge"),
        ("url_fetch_off", "URL fetching is off"),
        ("url_not_allowed", "URL not allowed"),
        ("class_exists", "Class exists"),
    ],
)
def test_title_of_a_code_reads_as_english(code: str, title: str) -> None:
    assert problem_of(ExemplarError(code, "expected another"))["title"] == title


def test_failed_item_carries_its_problem() -> None:
    result = failed_result(Item(3, custom_id="a"), ExemplarError("picture_empty", "no bytes"))
    assert (result["item"], result["custom_id"], result["status"]) == (3, "a", "failed")
    assert result["error"]["code"] == "picture_empty"


def unit(*components: float) -> np.ndarray:
    return np.array(components, np.float32)


def test_unit_vector_passes_as_it_came() -> None:
    vector = unit(0.6, 0.8)
    assert check_vector(vector, 2) is vector


@pytest.mark.parametrize(
    "vector",
    [
        unit(float("nan"), 1),
        unit(float("inf"), 0),
        unit(0, 0),
        unit(0.6, 0.6),
        unit(1, 0, 0),
        unit(1),
        unit(1, 0).reshape(1, 2),
    ],
    ids=["nan", "infinite", "zero", "short", "long dim", "short dim", "two axes"],
)
def test_anything_but_a_unit_vector_is_refused(vector: np.ndarray) -> None:
    with pytest.raises(ExemplarError) as caught:
        check_vector(vector, 2)
    assert caught.value.code == "vector_invalid"


def test_half_precision_is_near_enough_to_unit_length() -> None:
    vector = np.full(512, 1 / np.sqrt(512)).astype(np.float16).astype(np.float32)
    assert is_unit(vector)


def test_packed_vector_is_little_endian_and_comes_back() -> None:
    assert pack_vector(unit(1, 0)) == b"\x00\x00\x80\x3f\x00\x00\x00\x00"
    assert np.array_equal(unpack_vector(pack_vector(unit(0.6, 0.8))), unit(0.6, 0.8))
