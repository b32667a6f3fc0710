"""Labels and names of collections."""

from __future__ import annotations

import pytest

from core.errors import ExemplarError
from core.labels import MAX_LABEL, check_slug, clean_label


def test_label_is_trimmed_and_composed() -> None:
    assert clean_label("  Cafe\u0301 au lait\n") == "Caf\u00e9 au lait"


@pytest.mark.parametrize(
    "label", ["a/b", "Ωμέγα", "日本", "🏹", "=1+1", "<b>", "می\u200cخواهم", "👩\u200d🌾", "x" * MAX_LABEL]
)
def test_any_visible_text_is_a_label(label: str) -> None:
    assert clean_label(label) == label


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "label_missing"),
        (7, "label_missing"),
        ("", "label_missing"),
        (" \t\n", "label_missing"),
        ("x" * (MAX_LABEL + 1), "label_too_long"),
        ("a\x00b", "label_invalid"),
        ("a\nb", "label_invalid"),
        ("abc\u202edcba", "label_invalid"),
        ("zero\u200bwidth", "label_invalid"),
        ("\u200d", "label_invalid"),
        ("half \ud800 a character", "label_invalid"),
        ("M\ufffdwe", "label_invalid"),
        (".", "label_invalid"),
        ("..", "label_invalid"),
        ("a/../b", "label_invalid"),
    ],
)
def test_unusable_label_is_refused(text: object, code: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        clean_label(text)
    assert caught.value.code == code


def test_class_that_was_stored_with_replaced_bytes_can_be_named() -> None:
    assert clean_label("M\ufffdwe", exists=True) == "M\ufffdwe"


@pytest.mark.parametrize("name", ["a", "7", "sports-20", "a_b", "x" * 63])
def test_slug_names_a_collection(name: str) -> None:
    assert check_slug(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a b", "a/b", "..", "x" * 64, "a\n", "ä"])
def test_anything_else_does_not_name_a_collection(name: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        check_slug(name)
    assert caught.value.code == "name_invalid"
