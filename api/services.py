"""The objects that views use, created once per process."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import cast

from flask import Flask, current_app
from prometheus_client import CollectorRegistry

from api.rates import Rates
from api.readiness import Readiness
from api.streams import Streams
from api.wait import JobWatch
from core.errors import ExemplarError
from core.near import did_you_mean
from core.settings import Settings
from core.specs import EncoderSpec, is_removed, removed
from runtime.precedence import Precedence
from store.store import Store

_KEY = "exemplar"
LARGE_AT_ONCE = 4  # each takes up to four times its size while it is read; more at once are not faster


@dataclass(frozen=True, slots=True)
class Services:
    """The settings, the store and the waiter of one API process."""

    settings: Settings
    store: Store
    watch: JobWatch
    streams: Streams
    rates: Rates
    needs_key: bool
    """True if the API listens beyond loopback; on loopback a key is needed once there is one."""
    readiness: Readiness
    precedence: Precedence
    """Of those who wait, over bulk work on this machine."""
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    """What `/metrics` shows."""
    large: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(LARGE_AT_ONCE))
    """Held while a large body is in memory."""

    def is_locked(self) -> bool:
        """Return whether callers need a key."""
        return self.needs_key or self.store.keys.any_active()

    def end(self) -> None:
        """Release all requests that wait for a job or follow one: the process is stopping."""
        self.watch.end()
        self.streams.end()


def attach(services: Services) -> tuple[str, Services]:
    """Return the pair to put into `app.extensions`."""
    return _KEY, services


def services() -> Services:
    """Return the services of the current app."""
    return services_of(current_app)


def services_of(app: Flask) -> Services:
    """Return the services of an app."""
    return cast(Services, app.extensions[_KEY])


def check_offered(encoder: str) -> None:
    """Raise `encoder_not_offered`, or `encoder_unknown` if no worker could run it."""
    if is_removed(encoder):
        raise removed(encoder)
    offered = services().settings.encoders
    if encoder not in offered:
        raise ExemplarError(
            "encoder_not_offered",
            f"expected one of {', '.join(offered)}, got {encoder[:200]!r}"
            f"{did_you_mean(encoder[:200], offered)}",
        )


def require_text_encoder(encoder: str, *, purpose: str = "prompts", hint: str = "") -> None:
    """Raise `text_side_missing` if the encoder's kind has no text side; a worker checks the rest."""
    if EncoderSpec.parse(encoder).kind != "open_clip":
        raise ExemplarError(
            "text_side_missing",
            f"{purpose} need an encoder with a text side, such as open_clip:NAME/TAG, got {encoder!r}{hint}",
        )
