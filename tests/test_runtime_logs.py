"""Log lines: one per event, whatever untrusted text they contain."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

HOSTILE = 'cat\n{"event": "forged"}\r\x1b[2J\u202e\u2028end'
SCRIPT = f"""
import logging, warnings, structlog
from runtime.logs import set_up_logs
set_up_logs("INFO", worker="w-1")
structlog.contextvars.bind_contextvars(request_id="r-1")
hostile = {HOSTILE!r}
structlog.get_logger("exemplar.test").info("seen", label=hostile)
logging.getLogger("celery.worker").warning("label %s", hostile)
warnings.warn("careful")
structlog.get_logger("exemplar.test").info("long", label="x" * 100_000)
try:
    raise ValueError(hostile)
except ValueError:
    structlog.get_logger("exemplar.test").exception("failed")
structlog.get_logger("exemplar.test").debug("unseen")
"""


def test_each_event_is_one_line_of_json() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    seen, foreign, warned, long, failed = [json.loads(line) for line in done.stderr.splitlines()]
    assert list(seen)[:3] == ["timestamp", "level", "event"]
    assert (seen["event"], seen["label"], seen["level"]) == ("seen", HOSTILE, "info")
    assert foreign["logger"] == "celery.worker" and foreign["event"] == f"label {HOSTILE}"
    assert "careful" in warned["event"]
    assert len(long["label"]) < 3_000 and "100000 characters" in long["label"]
    assert "ValueError" in failed["exception"]
    assert {line["worker"] for line in (seen, foreign, failed)} == {"w-1"}
    assert {line["request_id"] for line in (seen, foreign, failed)} == {"r-1"}


def test_text_on_a_terminal_is_neither_forged_nor_steered_by() -> None:
    ours, theirs = pty.openpty()
    try:
        environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
        subprocess.run([sys.executable, "-c", SCRIPT], stderr=theirs, check=True, env=environment)
        os.close(theirs)
        shown = b""
        while b"ValueError: cat" not in shown:
            shown += os.read(ours, 1 << 16)
    finally:
        os.close(ours)
    text = shown.decode()
    assert "\\n{" in text and "\\x1b[2J" in text
    assert "\x1b[2J" not in text and "\u202e" not in text and "\u2028" not in text
    assert not any(line.startswith('{"event"') for line in text.splitlines())
