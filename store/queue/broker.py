"""Kombu's Redis transport, mended: a turn that cannot be acknowledged takes no credit from its worker.

With Redis away, kombu 5.7 raises from an acknowledgement before it takes the message off the list of what
is being worked on. A worker that may hold one message then believes for ever that it holds it: it asks for
no other, so the connection is not used, no error is seen, and nothing is connected anew.
"""

from __future__ import annotations

from kombu.transport import TRANSPORT_ALIASES, redis, virtual


class QoS(redis.QoS):
    """What is being worked on. Redis may hand out again what it was not told of, which harms no turn."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge to Redis; raise what went wrong, and be free for the next message all the same."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        except Exception:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Give a message back or drop it, with the same care."""
        try:
            super().reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]
        except Exception:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise


class Channel(redis.Channel):
    """A channel that counts by the mended rule."""

    QoS = QoS


class Transport(redis.Transport):
    """The transport that Celery is to use for `redis://`, `rediss://` and `redis+socket://`."""

    Channel = Channel


def mend_redis_transport() -> None:
    """Let kombu use this transport wherever a URL names Redis."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
