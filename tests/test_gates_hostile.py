"""Short lists of hostile inputs: addresses, broken pictures, malicious files."""

from __future__ import annotations

import os
from itertools import islice

import pytest

from benchmarks import ssrf
from benchmarks.hostile import hostile_files
from benchmarks.malformed import ALLOWED_BYTES, Malformed, broken_files, decode_all
from runtime import addresses

pytestmark = pytest.mark.processes


def test_no_trick_leads_to_an_address_that_is_not_public() -> None:
    tried, wrong = ssrf.let_through()
    assert wrong == []
    assert len(ssrf.ADDRESSES) >= 60 and tried > 800


def test_tricks_would_be_seen_if_addresses_were_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "check_address", lambda *_, **__: None)
    monkeypatch.setattr(ssrf, "ADDRESSES", ["10.0.0.1", "::1"])
    monkeypatch.setattr(ssrf, "SPELLINGS", ["https://2130706433/", "https://metadata/"])
    _, wrong = ssrf.let_through()
    assert {line.partition(":")[0] for line in wrong} == {"picture", "webhook", "redirect", "rebinding"}


def test_broken_pictures_are_refused_or_complete_and_nothing_crashes() -> None:
    found = decode_all(list(islice(broken_files(seed=7), 300)))
    assert (found.files, found.crashes, found.wrong) == (300, [], [])
    assert found.codes["accepted"] > 50 and found.codes["picture_unreadable"] > 100


def test_hostile_files_come_to_nothing() -> None:
    files = [Malformed(file.name, file.content, not file.may_pass) for file in hostile_files()]
    found = decode_all(files)
    assert (found.crashes, found.wrong) == ([], [])
    assert found.largest_bytes < ALLOWED_BYTES, found.largest


class Killing(bytes):
    """Ends the process when it is evaluated."""

    def __len__(self) -> int:
        os.kill(os.getpid(), 9)
        return 0


def test_what_kills_a_decoder_would_be_seen() -> None:
    found = decode_all([Malformed("killer", Killing(b"x"), True), Malformed("text", b"text", True)])
    assert found.crashes == ["killer: -9"] and found.codes["picture_unreadable"] == 1
