"""Logs: one line per event, as JSON unless written to a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

MOST_TEXT = 2_000  # characters of a value in a line
MOST_TRACE = 16_000  # characters of an exception's traceback


def set_up_logs(level: str, **always: str) -> None:
    """Send the events of structlog and of the standard library to standard error in one form.

    JSON unless that is a terminal; `always` is in every line. Untrusted text in a line (labels, file
    names, headers) cannot start another line nor control a terminal.
    """
    as_text = sys.stderr.isatty()

    def add_always(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**always, **event}

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        add_always,
        _bound,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    last: list[structlog.typing.Processor] = (
        [_escape, structlog.dev.ConsoleRenderer()] if as_text else [structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.captureWarnings(True)  # log warnings in the same form
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # its lines are always the same
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


def _bound(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    first = {name: event[name] for name in ("timestamp", "level", "event") if name in event}
    return {
        name: _cut(value, MOST_TRACE if name == "exception" else MOST_TEXT)
        for name, value in {**first, **event}.items()
    }


def _cut(value: Any, most: int) -> Any:
    if isinstance(value, str) and len(value) > most:
        return f"{value[:most]}... ({len(value)} characters)"
    return value


def _escape(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape unprintable characters as Python does; JSON has its own escapes."""
    trace = event.pop("exception", None)  # the only value with several lines
    shown = {name: _printable(value) for name, value in event.items()}
    if trace is not None:  # indented, so that none of its lines can pass for an event
        shown["exception"] = "\n".join(f"  {_printable(line)}" for line in trace.split("\n"))
    return shown


def _printable(value: Any) -> Any:
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in value
    )
