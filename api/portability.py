"""Views that export a collection as one file, and import such a file."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from flask import Response, request
from pydantic import Field, ValidationError

from api.auth import check_may_make
from api.bodies import check_length, keep_body
from api.inputs import RuleModel, Strict
from api.models import JobModel
from api.openapi import FILE
from api.requests import origin_of
from api.routes import Routes
from api.services import check_offered, require_text_encoder, services
from api.submit import answer, idempotency_of, uploading
from core.errors import ExemplarError
from core.jobs import JobKind, JobRequest, Lane, Source
from core.labels import check_slug
from core.prompts import check_prompts
from core.specs import PACKAGED, is_removed, removed
from formats.bundle import Manifest
from formats.bundle_reader import open_bundle
from store.blobs import PICTURES, BlobFile, Blobs, uploads_of
from store.queue.wake_ups import Part
from store.record.keys import Scope
from store.record.prompt_rules import check_labels, check_rule_of_prompts, check_views
from store.work.jobs import new_job_id
from store.work.submission import Submitted

routes = Routes("portability")

IMPORT_AGAIN = (
    f"import a file with pictures with another encoder: exemplar import FILE --encoder {PACKAGED[0]}"
)
ZIP = {"application/zip", "application/x-zip-compressed", "application/octet-stream"}


class ExportQuery(Strict):
    """Options of an export."""

    pictures: bool = Field(False, description="Whether to include the pictures of the supports.")


class ImportQuery(Strict):
    """Options of an import."""

    name: str | None = Field(None, description="Name of the new collection; default the one in the file.")
    encoder: str | None = Field(
        None, description="Embed the pictures again with this encoder instead of using the vectors."
    )


@routes.add("GET", "/collections/<collection>/export", scope=Scope.ADMIN, media_types=("application/zip",))
def export_collection(collection: str, query: ExportQuery) -> Response:
    """Export a collection as one file that NumPy and json can read."""
    streams, store = services().streams, services().store
    streams.take()
    try:
        spool = store.exports.spool(collection)
        store.audit.note("exported", collection=collection, details={"pictures": query.pictures})
    except BaseException:
        streams.release()
        raise
    response = Response(
        spool.stream(partial(_open_picture, store.blobs) if query.pictures else None),
        content_type="application/zip",
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{collection}.exemplar.zip"'
    response.call_on_close(spool.close)
    return streams.hold_for(response)


@routes.add(
    "POST",
    "/import",
    scope=Scope.ADMIN,
    takes_pictures=True,
    answer=JobModel,
    status=202,
    uploads={"application/zip": FILE},
)
def import_collection(query: ImportQuery) -> Response:
    """Create a collection from an exported file."""
    store = services().store
    if request.mimetype not in ZIP:
        raise ExemplarError(
            "media_type_invalid", f"expected application/zip, got {request.mimetype[:80] or 'none'!r}"
        )
    if "Idempotency-Key" not in request.headers:  # the key's job may exist already
        store.jobs.check_room(to_read=True)  # before a large body is read
    job_id, most = new_job_id(), services().settings.bulk_max_bytes
    with uploading(job_id) as upload:
        check_length(most)
        request.max_content_length = most
        name, digest = keep_body(job_id, request.stream, "the file of a collection")
        submitted = upload.submit(lambda: _submit(job_id, query, name, digest))
    store.wake_ups.send_to(Part.SOURCES)
    return answer(submitted.job)


def _open_picture(blobs: Blobs, digest: str) -> BlobFile | None:
    try:
        return blobs.open(PICTURES, digest)
    except ExemplarError as error:
        if error.code != "blob_not_found":
            raise
        return None


def _submit(job_id: str, query: ImportQuery, file: str, digest: str) -> Submitted:
    store = services().store
    opened = store.blobs.open(uploads_of(job_id), file)
    try:
        bundle = open_bundle(opened, services().settings)
        manifest = bundle.manifest
        encoder = query.encoder or manifest.encoder.spec
        if query.encoder is None and is_removed(encoder):
            raise removed(encoder, do=IMPORT_AGAIN)
        check_offered(encoder)
        _check_rule(manifest)
        _check_prompts(manifest, encoder)
        if query.encoder is not None and not bundle.has_pictures:
            raise ExemplarError(
                "bundle_invalid", "expected a file with pictures to embed again; export it with pictures"
            )
    finally:
        opened.close()
    name = check_slug(query.name or manifest.collection)
    check_may_make(name)
    kind = JobKind.IMPORT if query.encoder is None else JobKind.ENROLL
    source = Source(bundle=file, labels=manifest.labels)
    asked = JobRequest(name, kind, Lane.BULK, (), source=source, origin=origin_of(job_id, kind))
    same: list[object] = ["import", name, query.encoder, digest]
    return store.imports.submit(job_id, asked, manifest, encoder, idempotency_of(same))


def _check_rule(manifest: Manifest) -> None:
    try:
        RuleModel.model_validate(asdict(manifest.rule))
    except ValidationError as error:
        first = error.errors()[0]
        place = "/".join(str(part) for part in first["loc"])
        raise ExemplarError("bundle_invalid", f"manifest.json: rule/{place}: {first['msg']}") from error
    check_labels(manifest.labels, manifest.rule, manifest.prompts)
    check_views(manifest.views, manifest.labels)


def _check_prompts(manifest: Manifest, encoder: str) -> None:
    if manifest.prompts is not None:
        check_prompts(manifest.prompts)
        check_rule_of_prompts(manifest.rule, manifest.prompts)
        require_text_encoder(encoder)
