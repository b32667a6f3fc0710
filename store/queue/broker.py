"""Kombu's Redis transport, patched so that a failed acknowledgement does not block its worker.

When Redis is down, kombu 5.7 raises from an acknowledgement before it removes the message from the list of
unacknowledged ones. A worker with a prefetch count of one then believes for ever that it holds a message: it
requests no other, so the connection is not used, no error is seen, and nothing reconnects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kombu.transport import TRANSPORT_ALIASES, redis, virtual


class QoS(redis.QoS):
    """Unacknowledged messages. Redis may redeliver one, which is harmless."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge to Redis; on an error raise it, but free the prefetch slot anyway."""
        self._settle(super().ack, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Requeue or drop a message; free the prefetch slot in any case."""
        self._settle(partial(super().reject, requeue=requeue), delivery_tag)

    def _settle(self, settle: Callable[[str], object], delivery_tag: str) -> None:
        try:
            settle(delivery_tag)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise


class Channel(redis.Channel):
    """A channel with the patched class."""

    QoS = QoS


class Transport(redis.Transport):
    """The transport that Celery uses for `redis://`, `rediss://` and `redis+socket://`."""

    Channel = Channel


def patch_redis_transport() -> None:
    """Make kombu use this transport for every Redis URL."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
