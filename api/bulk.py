"""The view of bulk jobs: archives, manifests, folders and buckets, one source per job."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field, replace

from flask import Response, request

from api.auth import check_key
from api.bodies import check_length, keep_body
from api.bulk_checks import check_begins, check_classes, steps_of
from api.dry_run import tally_of
from api.inputs import BulkPlaces, BulkQuery
from api.job_options import options_of
from api.models import DryRun, FinishedJob, JobModel
from api.openapi import FILE, form, ref
from api.requests import origin_of
from api.routes import Routes, as_json, read_json
from api.services import check_offered, services
from api.submit import answer, idempotency_of, uploading
from api.webhooks import check_webhook
from core.collections import Labels
from core.errors import ExemplarError
from core.jobs import JobRequest, Lane, Source
from core.label_sets import unsupported
from formats.bounded_reader import Readable
from formats.remote_names import allowed_prefix
from store.blobs import uploads_of
from store.queue.wake_ups import Part
from store.record.keys import Scope
from store.work.jobs import new_job_id
from store.work.kinds import KINDS
from store.work.submission import Submitted

routes = Routes("bulk")

ARCHIVES = {
    "application/zip",
    "application/x-zip-compressed",
    "application/x-tar",
    "application/gzip",
    "application/x-gzip",
    "application/x-bzip2",
    "application/x-xz",
    "application/octet-stream",
}
JSON_LINES = {"application/x-ndjson", "application/jsonl", "application/x-jsonlines"}
IN_PARTS = "; send it in parts"


@dataclass(slots=True)
class _Received:
    """The stored parts of a request, and their digests."""

    source: Source = field(default_factory=Source)
    digests: list[str] = field(default_factory=list)
    urls: int = 0  # the number of items, if already known


@routes.add(
    "POST",
    "/collections/<collection>/bulk",
    scope=Scope.CLASSIFY,
    contributors_too=True,
    body=BulkPlaces,
    takes_pictures=True,
    answer=JobModel,
    status=202,
    uploads={
        "multipart/form-data": form("archive", archive=FILE, manifest=FILE),
        **dict.fromkeys(("application/zip", "application/x-tar", "application/x-ndjson", "text/csv"), FILE),
    },
    responses={
        "200": {
            "description": "What a dry run found, or the finished job where `Prefer: wait` was met.",
            "content": {"application/json": {"schema": {"anyOf": [ref(DryRun), ref(FinishedJob)]}}},
        }
    },
    note=" To enrol, it needs `enroll` too, or `contribute` alone.",
)
def bulk(collection: str, query: BulkQuery) -> Response:
    """Classify or enrol the pictures of an archive, a manifest, a folder or a bucket as one job."""
    kind = KINDS[query.kind]
    check_key(Scope.CONTRIBUTE if kind.enrols else kind.scope)
    if query.smooth and not kind.decides:
        raise ExemplarError("smooth_invalid", f"smooth: expected kind=classify, got kind={query.kind.value}")
    store = services().store
    found = store.collections.find(collection)
    check_offered(found.encoder)  # before the upload is stored
    if query.smooth and found.labels is Labels.MANY:
        raise unsupported("smooth")
    check_webhook(query.webhook)
    options = options_of(found, query, query.kind)
    if not query.dry_run and "Idempotency-Key" not in request.headers:  # a key may replay an earlier job
        store.jobs.check_room(to_read=True)  # before a large body is read
    job_id = new_job_id()
    with uploading(job_id) as upload:
        received = _receive(job_id, query.label)
        received.source = replace(received.source, class_from=query.class_from, labels=found.labels)
        if query.smooth:
            _check_smoothable(received.urls)
        if query.dry_run:
            with closing(steps_of(job_id, received.source, query.kind)) as steps:
                tally = tally_of(collection, query.kind, steps)
            if query.smooth:
                _check_smoothable(tally.items)
            return as_json(tally)
        check_begins(job_id, received.source, query.kind)
        if kind.enrols and query.class_from is None and received.source.manifest is None:
            check_classes(job_id, received.source)
        submitted = upload.submit(lambda: _submit(job_id, collection, query, received, options))
    services().store.wake_ups.send_to(Part.SOURCES)
    return answer(submitted.job)


def _submit(
    job_id: str, collection: str, query: BulkQuery, received: _Received, options: dict[str, object]
) -> Submitted:
    asked = JobRequest(
        collection,
        query.kind,
        Lane.BULK,
        (),
        query.top,
        query.min_version,
        source=received.source,
        webhook=query.webhook,
        smooth=query.smooth,
        origin=origin_of(job_id, query.kind),
        options=options,
    )
    added = {"smooth", "class_from", "version", "where"}  # since the first version, whose keys still hold
    same: list[object] = [*query.model_dump(mode="json", exclude=added).values(), collection]
    same += [*received.digests, *(["smooth"] if query.smooth else [])]
    same += [query.class_from.value] if query.class_from is not None else []
    same += [options] if options else []
    return services().store.jobs.submit(job_id, asked, idempotency_of(same))


def _receive(job_id: str, label: str | None) -> _Received:
    """Store the body part by part; raises `media_type_invalid`, `body_empty`, `body_too_large` and others."""
    most = services().settings.bulk_max_bytes
    media_type = request.mimetype
    received = _Received()
    if media_type == "application/json":
        return _places(job_id, received, label)
    check_length(most, hint=IN_PARTS)
    request.max_content_length = most
    if media_type == "multipart/form-data":
        return _multipart(job_id, received, label)
    if media_type in ARCHIVES:
        received.source = Source(archive=_keep(job_id, received, request.stream), label=label)
    elif media_type in JSON_LINES or media_type == "text/csv":
        name = _keep(job_id, received, request.stream)
        received.source = Source(manifest=name, manifest_is_csv=media_type == "text/csv", label=label)
    else:
        raise ExemplarError(
            "media_type_invalid",
            "expected application/zip, application/x-tar or a packed tar, application/x-ndjson, text/csv, "
            f"multipart/form-data or application/json, got {media_type[:80] or 'none'!r}",
        )
    return received


def _multipart(job_id: str, received: _Received, label: str | None) -> _Received:
    files = {name: request.files.getlist(name) for name in request.files}
    unknown = set(request.form) | (set(files) - {"archive", "manifest"})
    if unknown or "archive" not in files or any(len(parts) > 1 for parts in files.values()):
        raise ExemplarError(
            "request_invalid",
            "expected one file named archive, and at most one named manifest, and no other part",
        )
    manifest = files["manifest"][0] if "manifest" in files else None
    names = [_keep(job_id, received, part[0].stream) for _, part in sorted(files.items())]
    is_csv = manifest is not None and (
        manifest.mimetype == "text/csv" or (manifest.filename or "").lower().endswith(".csv")
    )
    received.digests.append(f"csv: {is_csv}")
    received.source = Source(
        archive=names[0],
        manifest=names[1] if manifest is not None else None,
        manifest_is_csv=is_csv,
        label=label,
    )
    return received


def _places(job_id: str, received: _Received, label: str | None) -> _Received:
    check_length(services().settings.max_body_bytes, hint=IN_PARTS)
    places = BulkPlaces.model_validate(read_json())
    if sum(place is not None for place in (places.folder, places.urls, places.prefix)) != 1:
        raise ExemplarError("request_invalid", "expected one of folder, urls and prefix")
    received.digests.append(places.model_dump_json(exclude={"prefix"} if places.prefix is None else None))
    if places.prefix is not None:
        allowed_prefix(places.prefix, services().settings.remote_prefixes)
        received.source = Source(prefix=places.prefix, label=label)
        return received
    if places.folder is not None:
        received.source = Source(folder=places.folder, label=label)
        return received
    lines = (json.dumps({"url": url, "custom_id": url[:1024]}) + "\n" for url in places.urls or ())
    name = services().store.blobs.put_stream(uploads_of(job_id), (line.encode() for line in lines))
    received.urls = len(places.urls or ())
    received.source = Source(manifest=name, label=label)
    return received


def _keep(job_id: str, received: _Received, stream: Readable) -> str:
    """Stream a body into the blob store and return its name there."""
    compares = "Idempotency-Key" in request.headers  # hashing a large body takes as long as receiving it
    what = "an archive or a manifest"
    name, digest = keep_body(job_id, stream, what, compares=compares, hint=IN_PARTS)
    received.digests.append(digest)
    return name


def _check_smoothable(items: int) -> None:
    most = services().settings.smooth_max_items
    if items > most:
        raise ExemplarError("smooth_invalid", f"smooth: expected at most {most} items, got {items}")
