"""The actor: who asked for what this thread does now, by which request and job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from core.jobs import Origin

LOCAL = "local"
"""The name of callers of a service without keys, and their id in an `Origin`."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change; the name of a key is looked up where only its id is given."""

    key_id: str | None = None
    name: str = ""
    request_id: str | None = None
    job_id: str | None = None


OPERATOR = Actor(name="operator")
"""Who runs commands on the machine itself."""

_current: ContextVar[Actor] = ContextVar("actor", default=OPERATOR)


def current_actor() -> Actor:
    """Return who asked for what this thread does; the operator if nothing else was said."""
    return _current.get()


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Let changes within be an actor's."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)


def submitter_of(job_id: str, origin: Origin | None) -> Actor:
    """Return who submitted a job; one without an origin was made by the service itself."""
    if origin is None:
        return Actor(name="service", job_id=job_id)
    key = None if origin.key == LOCAL else origin.key
    return Actor(key, LOCAL if key is None else "", origin.request_id, job_id)
