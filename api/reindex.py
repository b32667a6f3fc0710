"""Views of a reindex: start, show, compare, switch, switch back and forget."""

from __future__ import annotations

from contextlib import suppress

from flask import Response
from pydantic import BaseModel, Field

from api.as_model import as_model
from api.inputs import Strict
from api.links import link
from api.made import make
from api.models import JobModel
from api.prefer import accepted
from api.routes import Routes, as_json
from api.services import check_offered, require_text_encoder, services
from core.collections import Collection, Labels
from core.comparison import Comparison, LabelComparison
from core.errors import ExemplarError
from core.jobs import Item, Job, JobKind, JobRequest, Lane
from core.label_sets import unsupported
from core.results import Result
from store.queue.wake_ups import Part
from store.record.keys import Scope
from store.reindex.status import Reindex

routes = Routes("reindex")


class NewReindex(Strict):
    """The encoder to embed a collection's pictures with, in addition to the active one."""

    encoder: str


class SwitchOptions(Strict):
    """Options of a switch."""

    leave_out: bool = Field(
        False, description="Whether to exclude supports without a vector of the other encoder."
    )


class UnseenModel(BaseModel):
    """A support without a vector of the other encoder."""

    support_id: int
    label: str = Field(description="Its label, or its labels separated by `;`.")
    external_id: str | None
    picture: str = Field(description="The digest of its picture, which may not be stored here.")


class ReindexModel(BaseModel):
    """A reindex and its progress."""

    collection: str
    version: int
    encoder: str = Field(description="The active encoder.")
    other: str = Field(description="The encoder of the secondary vectors.")
    switched: bool = Field(description="Whether the collection has switched; `back` returns.")
    supports: int
    embedded: int = Field(description="Supports with vectors of both encoders.")
    working: bool = Field(description="Whether pictures still wait for the other encoder.")
    missing: list[UnseenModel] = Field(description="The first 100 supports without a secondary vector.")
    links: dict[str, str]

    @classmethod
    def of(cls, reindex: Reindex) -> ReindexModel:
        return as_model(cls, reindex, links={"job": link(f"/v1/jobs/{reindex.job_id}")})


@routes.add("POST", "/collections/<collection>/reindex", scope=Scope.ADMIN, answer=JobModel, status=202)
def start_reindex(collection: str, body: NewReindex) -> Response:
    """Embed the stored pictures with another encoder, while the active one answers."""
    check_offered(body.encoder)
    store = services().store
    if store.collections.find(collection).prompts is not None:
        require_text_encoder(body.encoder)
    job = store.reindexes.start(collection, body.encoder)
    store.wake_ups.send_to(Part.SOURCES)
    return accepted(job)


@routes.add("GET", "/collections/<collection>/reindex", scope=Scope.CLASSIFY)
def get_reindex(collection: str) -> ReindexModel:
    """Show the progress of a reindex, and the supports without a secondary vector."""
    return ReindexModel.of(services().store.reindexes.get(collection))


@routes.add(
    "GET",
    "/collections/<collection>/reindex/comparison",
    scope=Scope.CLASSIFY,
    answer=Comparison,
    may_wait=True,
)
def compare_encoders(collection: str) -> Response:
    """Compare the reports of both encoders, with the answers that would change."""
    found = services().store.collections.find(collection)
    if found.labels is Labels.MANY:
        raise unsupported("comparison", "see comparison/labels")
    made = _made(found)
    return accepted(made) if isinstance(made, Job) else as_json(Comparison.model_validate(made["comparison"]))


@routes.add(
    "GET",
    "/collections/<collection>/reindex/comparison/labels",
    scope=Scope.CLASSIFY,
    answer=LabelComparison,
    may_wait=True,
)
def compare_label_encoders(collection: str) -> Response:
    """Compare the reports of both encoders of a collection of several labels a picture."""
    found = services().store.collections.find(collection)
    if found.labels is Labels.ONE:
        raise ExemplarError(
            "labels_unsupported",
            "this is for collections with labels=many; for one label a picture see comparison",
        )
    made = _made(found)
    if isinstance(made, Job):
        return accepted(made)
    return as_json(LabelComparison.model_validate(made["label_comparison"]))


@routes.add("POST", "/collections/<collection>/reindex/switch", scope=Scope.ADMIN)
def switch_encoder(collection: str, body: SwitchOptions) -> ReindexModel:
    """Make the collection answer with the other encoder."""
    return _switch(collection, back=False, leave_out=body.leave_out)


@routes.add("POST", "/collections/<collection>/reindex/back", scope=Scope.ADMIN)
def switch_back(collection: str, body: SwitchOptions) -> ReindexModel:
    """Make the collection answer with the encoder it had before the switch."""
    return _switch(collection, back=True, leave_out=body.leave_out)


@routes.add("DELETE", "/collections/<collection>/reindex", scope=Scope.ADMIN, status=204)
def forget_encoder(collection: str) -> None:
    """Delete the vectors of the inactive encoder."""
    store = services().store
    job_id = store.reindexes.forget(collection)
    with suppress(ExemplarError):  # the job may have been deleted
        store.control.cancel(job_id)


def _switch(collection: str, *, back: bool, leave_out: bool) -> ReindexModel:
    store = services().store
    check_offered(store.reindexes.get(collection).other)
    return ReindexModel.of(store.reindexes.switch(collection, back=back, leave_out=leave_out))


def _made(collection: Collection) -> Result | Job:
    """Return the result with the comparison of the current version, or the job that is making it."""
    check_offered(collection.encoder)
    reindex = services().store.reindexes.get(collection.name)
    key = (
        f"compare:{collection.id}:{reindex.version}:{reindex.encoder}:{reindex.other}:{reindex.embedded}"
        f":{collection.rule.name}:{collection.rule.metric}"
    )
    if collection.labels is Labels.MANY:
        key += f":{collection.rule.aim}:{collection.rule.precision}"
    asked = JobRequest(collection.name, JobKind.COMPARE, Lane.INTERACTIVE, [Item(0)])
    return make(asked, key, is_good=lambda job: job.done > 0)
