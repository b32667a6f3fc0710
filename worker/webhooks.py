"""Webhooks: signed calls at the end of a job, sent by a thread (https://www.standardwebhooks.com)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import structlog
from standardwebhooks import Webhook

from core.errors import ExemplarError
from core.settings import Settings
from runtime.addresses import check_url
from store.queue.listener import Listener
from store.queue.wake_ups import Part
from store.work.deliveries import Deliveries, Delivery, Outcome
from worker.loops import IDLE_S, Loop, LoopPart
from worker.metrics import Metrics
from worker.outbound import send

log = structlog.get_logger("exemplar.worker")

AT_ONCE = 4  # a receiver that does not answer blocks three others at most
TOTAL_S = 15.0
MAX_BYTES = 16 << 10  # of an answer, which is not used
GONE = 410  # the receiver wants no more calls


class WebhookSender(LoopPart):
    """Sends the calls that are due until it is stopped."""

    def __init__(
        self, deliveries: Deliveries, settings: Settings, owner: str, metrics: Metrics | None = None
    ) -> None:
        self._metrics = metrics or Metrics()
        self._deliveries = deliveries
        self._settings = settings
        self._owner = owner
        listener = Listener(settings.redis_url, [Part.WEBHOOKS.queue])
        self._loop = Loop("webhooks", lambda: self.deliver_due() > 0, pause_s=IDLE_S, listener=listener)
        self._senders = ThreadPoolExecutor(AT_ONCE, "webhook")

    def start(self) -> None:
        """Start the thread, if webhooks are on."""
        if self._settings.webhooks:
            self._loop.start()

    def stop(self) -> None:
        """Stop without waiting; other workers repeat the calls in progress."""
        self._loop.stop(join_s=0)
        self._senders.shutdown(wait=False, cancel_futures=True)

    def deliver_due(self) -> int:
        """Send the calls that are due, a few at a time; return how many."""
        self._deliveries.announce()
        due = self._deliveries.claim(self._owner, AT_ONCE)
        list(self._senders.map(self._deliver, due))
        return len(due)

    def _deliver(self, delivery: Delivery) -> None:
        start = time.perf_counter()
        try:
            status = post(delivery, self._settings)
            outcome = Outcome(_ms_since(start), status, is_final=status == GONE)
        except ExemplarError as error:
            # an address that is not allowed may be corrected by tomorrow, like any other fault there
            outcome = Outcome(_ms_since(start), error=f"{error.code}: {error.message}"[:500])
        except Exception as error:  # the boundary of a call: unsettled, it would be due again for ever
            log.error("webhook_failed", id=delivery.id, exc_info=error)
            outcome = Outcome(_ms_since(start), error=f"internal_error: {type(error).__name__}")
        self._deliveries.settle(self._owner, delivery, outcome)
        self._metrics.webhook_calls.labels(_label(outcome)).inc()
        log.info("webhook", id=delivery.id, attempt=delivery.attempts, status=outcome.status)


def post(delivery: Delivery, settings: Settings) -> int:
    """Send one signed call, and return the status of the answer.

    Raises `target_invalid`, `target_not_allowed`, `target_unresolved` or `target_failed`.
    """
    private_too = settings.webhook_private
    target = check_url(delivery.url, hosts=settings.webhooks, private_too=private_too)
    now = datetime.now(UTC)
    # each secret signs, so that receivers may adopt the new one before or after the service does
    signers = [Webhook(secret) for secret in settings.webhook_secrets]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "exemplar",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signer.sign(delivery.id, now, delivery.body) for signer in signers),
    }
    reply = send(
        target,
        "POST",
        headers=headers,
        body=delivery.body.encode(),
        total_s=TOTAL_S,
        max_bytes=MAX_BYTES,
        private_too=private_too,
    )
    return reply.status


def _label(outcome: Outcome) -> str:
    if outcome.is_delivered:
        return "delivered"
    return "failed" if outcome.status is None else "refused"


def _ms_since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 1)
