"""Views that accept work: enroll, classify and search."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial

from flask import Response, g, request

from api.inputs import AskItems, AskQuery, EnrollItems, EnrollOptions, SearchItems
from api.job_options import options_of
from api.links import link
from api.models import FinishedJob, JobModel
from api.openapi import FILE, form
from api.pages import make_cursor
from api.prefer import accepted, going_first, wait_s
from api.requests import origin_of
from api.results import shown
from api.routes import Document, Routes, as_json, is_large
from api.services import check_offered, services
from api.uploads import Upload, read_uploads
from api.webhooks import check_webhook
from core.collections import Collection
from core.errors import ExemplarError, problem_of
from core.jobs import FINAL, Item, Job, JobKind, JobRequest, Lane
from core.label_sets import Said
from store.blobs import uploads_of
from store.record.keys import Scope
from store.work.jobs import new_job_id
from store.work.kinds import KINDS, folder_of_pictures
from store.work.submission import Idempotency, Submitted

ACCEPTED = 202

routes = Routes("submit")

MAX_KEY = 256

IMAGES: Document = {"type": "array", "items": FILE}
LABEL: Document = {
    "description": "The label of every picture; several if a picture may have several.",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
}
FLAG: Document = {"type": "boolean"}
NOTHING_SAID = Said()
RAW = {"image/*": FILE, "application/octet-stream": FILE}
takes_pictures = partial(routes.add, "POST", takes_pictures=True, answer=JobModel, status=202)
asks = partial(
    takes_pictures,
    scope=Scope.CLASSIFY,
    body=AskItems,
    uploads={"multipart/form-data": form("image", image=IMAGES), **RAW},
)


@takes_pictures(
    "/collections/<collection>/enroll",
    scope=Scope.CONTRIBUTE,
    body=EnrollItems,
    uploads={"multipart/form-data": form("image", image=IMAGES, label=LABEL, complete=FLAG), **RAW},
)
def enroll(collection: str, query: EnrollOptions) -> Response:
    """Enrol labelled pictures; a class exists as soon as its first picture is enrolled."""
    said = Said(query.label, complete=query.complete)
    kind = JobKind.CHECK if query.dry_run else JobKind.ENROLL
    return _submit(collection, kind, AskQuery.model_validate({"webhook": query.webhook}), said=said)


@asks("/collections/<collection>/classify")
def classify(collection: str, query: AskQuery) -> Response:
    """Classify pictures."""
    return _submit(collection, JobKind.CLASSIFY, query)


@asks("/collections/<collection>/search", body=SearchItems)
def search(collection: str, query: AskQuery) -> Response:
    """Find the nearest supports of pictures or texts, without a decision."""
    return _submit(collection, JobKind.SEARCH, query)


@going_first()
def _submit(
    collection: str,
    kind: JobKind,
    query: AskQuery,
    *,
    said: Said = NOTHING_SAID,
) -> Response:
    store = services().store
    check_webhook(query.webhook)
    found = store.collections.find(collection)
    check_offered(found.encoder)  # before pictures are stored
    options = options_of(found, query, kind)
    job_id = new_job_id()
    # nothing is promised until the answer, and what a caller waits for is usually done by then
    at_once = KINDS[kind].enrols or wait_s() <= 0
    with uploading(job_id) as upload:
        items = _receive(job_id, kind, said, found, durable=at_once)
        interactive = len(items) <= services().settings.interactive_items
        lane = Lane.INTERACTIVE if interactive else Lane.BULK
        if interactive and wait_s() > 0:
            services().precedence.renew()
        job_request = JobRequest(
            collection,
            kind,
            lane,
            items,
            query.top,
            query.min_version,
            webhook=query.webhook,
            origin=origin_of(job_id, kind),
            options=options,
        )
        key = idempotency_of(_asked(job_request))
        submitted = upload.submit(lambda: store.jobs.submit(job_id, job_request, key))
    if not submitted.replayed:
        unfetched = any(item.is_unfetched for item in items)
        store.wake_ups.send(lane, submitted.encoder, unfetched=unfetched)
    response = answer(submitted.job)
    if not at_once and response.status_code == ACCEPTED:
        pictures = [item.picture for item in items if item.picture is not None]
        store.blobs.make_durable(folder_of_pictures(kind, job_id), pictures)
    return response


class Uploading:
    """Blobs stored for a job that is about to be submitted."""

    def __init__(self) -> None:
        self.is_needed = False
        """Whether the job is in the record, or may be."""

    def submit(self, submit: Callable[[], Submitted]) -> Submitted:
        """Submit the job; its blobs are needed from now on, unless this says otherwise."""
        self.is_needed = True
        try:
            submitted = submit()
        except ExemplarError as error:
            self.is_needed = error.code == "record_unavailable"  # the commit may have succeeded
            raise
        self.is_needed = not submitted.replayed
        return submitted


@contextmanager
def uploading(job_id: str) -> Iterator[Uploading]:
    """Delete blobs stored for a job at the end, unless the job needs them."""
    upload = Uploading()
    try:
        yield upload
    finally:
        if not upload.is_needed:
            with suppress(ExemplarError):
                services().store.blobs.remove_folder(uploads_of(job_id))


def _receive(job_id: str, kind: JobKind, said: Said, collection: Collection, *, durable: bool) -> list[Item]:
    """Read and store the pictures; afterwards none is in memory, however long the caller waits."""
    large = is_large()
    if large and "Idempotency-Key" not in request.headers:  # a key may replay an earlier job
        services().store.jobs.check_room()  # before the body is read
    with services().large if large else nullcontext():
        uploads = read_uploads(kind, said, collection, services().settings)
        if all(upload.error is not None for upload in uploads) and uploads[0].error is not None:
            raise uploads[0].error  # no picture is valid
        return _keep(uploads, folder_of_pictures(kind, job_id), durable=durable)


def _keep(uploads: Sequence[Upload], folder: str, *, durable: bool) -> list[Item]:
    blobs = services().store.blobs
    return [
        Item(
            index=index,
            picture=blobs.put(folder, upload.content, durable=durable) if upload.content else None,
            label=upload.label,
            custom_id=upload.custom_id,
            external_id=upload.external_id,
            metadata=upload.metadata,
            problem=None if upload.error is None else problem_of(upload.error),
            place=upload.url,
            labels=None if upload.labels is None else upload.labels.labels,
            complete=upload.labels is not None and upload.labels.complete,
            text=upload.text,
        )
        for index, upload in enumerate(uploads)
    ]


def _asked(job_request: JobRequest) -> list[object]:
    return [
        job_request.collection,
        job_request.kind,
        job_request.top,
        job_request.min_version,
        job_request.webhook,
        *([dict(job_request.options)] if job_request.options else []),
        [
            [
                item.picture or item.place,
                item.label,
                item.custom_id,
                item.external_id,
                dict(item.metadata),
                item.problem,
                *([] if item.labels is None else [list(item.labels), item.complete]),
                *([] if item.text is None else [item.text]),
            ]
            for item in job_request.items
        ],
        *([dict(job_request.options)] if job_request.options else []),
    ]


def idempotency_of(asked: list[object]) -> Idempotency | None:
    """Return the caller's Idempotency-Key with a digest of the request, or None without a key."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY:
        raise ExemplarError("request_invalid", f"Idempotency-Key: expected 1 to {MAX_KEY} characters")
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return Idempotency(f"{g.caller}:{key}", digest)


def answer(job: Job) -> Response:
    """Return the 202 of an accepted job, or the job with its results if the caller waits for them."""
    waited_s = wait_s()
    if waited_s > 0 and (job.state in FINAL or services().watch.wait(job.id, waited_s)):
        return _finished(job.id, waited_s)
    if waited_s > 0:
        job = services().store.jobs.get(job.id)  # its state may have changed
    return accepted(job)


def _finished(job_id: str, waited_s: float) -> Response:
    page = services().store.jobs.results(job_id, limit=services().settings.max_items)
    job = page.job
    model = FinishedJob(
        **JobModel.of(job, time.time()).model_dump(),
        results=[shown(job, result) for result in page.results],
        next_cursor=None if page.next_item is None else make_cursor(page.next_item),
    )
    response = as_json(model, exclude_unset=True)
    response.headers["Location"] = link(f"/v1/jobs/{job.id}")
    response.headers["Preference-Applied"] = f"wait={waited_s:g}"
    return response
