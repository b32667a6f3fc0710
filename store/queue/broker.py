"""Kombu's Redis transport, patched: a wake-up that cannot be acknowledged takes no credit from its worker.

With Redis away, kombu 5.7 raises from an acknowledgement before it takes the message off the list of what
is being worked on. A worker that may hold one message then believes for ever that it holds it: it asks for
no other, so the connection is not used, no error is seen, and nothing reconnects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kombu.transport import TRANSPORT_ALIASES, redis, virtual


class QoS(redis.QoS):
    """Unacknowledged messages. Redis may deliver one again, which does no harm."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge to Redis; raise what went wrong, and be free for the next message all the same."""
        self._settle(super().ack, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Give a message back or drop it, with the same care."""
        self._settle(partial(super().reject, requeue=requeue), delivery_tag)

    def _settle(self, settle: Callable[[str], object], delivery_tag: str) -> None:
        try:
            settle(delivery_tag)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise


class Channel(redis.Channel):
    """A channel with the patched count."""

    QoS = QoS


class Transport(redis.Transport):
    """The transport that Celery is to use for `redis://`, `rediss://` and `redis+socket://`."""

    Channel = Channel


def patch_redis_transport() -> None:
    """Let kombu use this transport wherever a URL names Redis."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
