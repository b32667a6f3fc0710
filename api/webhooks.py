"""Views and checks of webhooks: allowed targets, and the log of deliveries."""

from __future__ import annotations

from api.models import DeliveryList, DeliveryModel
from api.routes import Routes
from api.services import services
from core.errors import ExemplarError
from runtime.addresses import check_url
from store.record.keys import Scope

routes = Routes("webhooks")


@routes.add("GET", "/jobs/<job_id>/deliveries", scope=Scope.CLASSIFY)
def list_deliveries(job_id: str) -> DeliveryList:
    """Show the calls of a job's webhook with their outcomes."""
    found = services().store.deliveries.of_job(job_id)
    return DeliveryList(items=[DeliveryModel.of(delivery) for delivery in found])


def check_webhook(url: str | None) -> None:
    """Raise `webhooks_off`, `target_invalid` or `target_not_allowed` if a webhook cannot be called."""
    settings = services().settings
    if url is None:
        return
    if not settings.webhooks:
        raise ExemplarError("webhooks_off", "this service calls no webhooks; its operator can turn them on")
    check_url(url, hosts=settings.webhooks, private_too=settings.webhook_private)
