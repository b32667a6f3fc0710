"""Sizes and suggestions in messages."""

from __future__ import annotations

import pytest

from core.near import did_you_mean
from core.sizes import size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_999, "1.0 MB"),
        (32 << 20, "33.6 MB"),
        (8 << 30, "8.6 GB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_size_is_shown_as_file_managers_show_it(size: int, text: str) -> None:
    assert size_text(size) == text


def test_near_names_are_suggested_and_far_ones_are_not() -> None:
    there = ["birds", "words", "efficientnet_lite2", "timm"]
    assert did_you_mean("brids", there) == "; did you mean birds or words?"
    assert did_you_mean("time", there) == "; did you mean timm?"
    assert did_you_mean("EfficientNet-Lite2", there) == "; did you mean efficientnet_lite2?"
    assert did_you_mean("cars", there) == ""
