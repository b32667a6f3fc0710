"""Reads the pictures of a request: multipart, a raw picture, or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import request
from pydantic import TypeAdapter, ValidationError

from api.auth import check_key, require_visible
from api.inputs import AskItem, EnrollItem, SearchItem
from api.routes import read_json
from api.services import require_text_encoder, services
from core.base64_text import decode_base64
from core.caller_fields import CallersId, check_metadata
from core.collections import Collection, Labels
from core.errors import ExemplarError
from core.jobs import JobKind
from core.label_sets import LabelSet, Said
from core.labels import label_missing
from core.settings import Settings
from core.sizes import size_text
from runtime.addresses import check_picture_url
from store.record.keys import Scope
from store.work.items import find_read_picture
from store.work.kinds import KINDS

_CUSTOM_ID: TypeAdapter[str] = TypeAdapter(CallersId)
_LABELS = {"label", "labels", "complete"}
_FLAG: TypeAdapter[bool] = TypeAdapter(bool)


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture of a request, or an error in its place."""

    content: bytes = b""
    label: str | None = None
    labels: LabelSet | None = None
    """Its labels, if a picture may have several."""
    custom_id: str | None = None
    external_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    error: ExemplarError | None = None
    url: str | None = None
    """The URL to fetch the picture from; it then has no content yet."""
    text: str | None = None
    """A text to search with, instead of a picture."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the pictures are for, how many labels one has, and what is said of all of them."""

    kind: JobKind
    labels: Labels
    said: Said
    settings: Settings


def read_uploads(kind: JobKind, said: Said, collection: Collection, settings: Settings) -> list[Upload]:
    """Return the request's pictures in order; a bad one becomes an error and does not affect the others.

    `said` is what the query says of all of them. Raises `body_empty`, `media_type_invalid`,
    `body_unreadable`, `picture_missing` or `items_too_many`, and for texts `text_side_missing`.
    """
    media_type, wanted = request.mimetype, _Wanted(kind, collection.labels, said, settings)
    if media_type == "multipart/form-data":
        uploads = _multipart(wanted)
    elif media_type == "application/json":
        uploads = _from_items(wanted)
    elif media_type.startswith("image/") or media_type == "application/octet-stream":
        uploads = [_raw(wanted)]
    else:
        raise ExemplarError(
            "media_type_invalid",
            f"expected multipart/form-data, image/* or application/json, got {media_type[:80] or 'none'!r}",
        )
    if any(upload.text is not None for upload in uploads):
        require_text_encoder(collection.encoder, purpose="texts")
    if not uploads:
        raise ExemplarError("picture_missing", "expected one or more pictures, got none")
    _check_count(uploads, settings.max_items)
    return uploads


def _multipart(wanted: _Wanted) -> list[Upload]:
    try:
        texts, files = ({name or "" for name in parts} for parts in (request.form, request.files))
    except ValueError as error:
        raise ExemplarError("body_unreadable", f"expected multipart/form-data: {error}") from error
    unknown = sorted((texts - {"label", "complete"}) | (files - {"image"}))  # a part may lack a name
    if unknown:  # ignoring a part could lose a picture
        raise ExemplarError(
            "request_invalid",
            f"{unknown[0][:80]!r}: expected parts named image (files), label and complete (text)",
        )
    wanted = replace(wanted, said=_said_in_form(wanted.said, wanted.labels))
    return [_checked(wanted, file.read()) for file in request.files.getlist("image")]


def _said_in_form(said: Said, labels: Labels) -> Said:
    """Return what the parts of a form say of every picture, otherwise what the query says."""
    given, complete = request.form.getlist("label"), request.form.getlist("complete")
    if len(given) > 1 and labels is Labels.ONE:
        raise ExemplarError("request_invalid", "label: expected it once; it is the label of every picture")
    if complete:
        try:
            [text] = complete
            said = replace(said, complete=_FLAG.validate_python(text))
        except ValueError as error:
            raise ExemplarError(
                "request_invalid", f"complete: expected it once, true or false, got {complete!r:.100}"
            ) from error
    if len(given) > 1:
        return replace(said, label=None, labels=given)
    return replace(said, label=given[0]) if given else said


def _raw(wanted: _Wanted) -> Upload:
    content = request.get_data(cache=False)
    if not content:
        raise ExemplarError("body_empty", "expected a picture as the body, got 0 bytes")
    return _checked(wanted, content)


def _json_items(kind: JobKind, most: int) -> Sequence[Any]:
    body = read_json()
    if kind is JobKind.SEARCH and isinstance(body, dict) and set(body) == {"text"}:
        return [body]
    if not isinstance(body, dict) or set(body) != {"items"} or not isinstance(body["items"], list):
        raise ExemplarError("body_unreadable", 'expected {"items": [...]} and nothing else')
    _check_count(body["items"], most)  # before each of them is validated
    return body["items"]


def _check_count(items: Sequence[Any], most: int) -> None:
    if len(items) > most:
        raise ExemplarError("items_too_many", f"expected at most {most} items, got {len(items)}")


def _from_json(wanted: _Wanted, raw: Any) -> Upload:
    model = EnrollItem if KINDS[wanted.kind].enrols else AskItem
    custom_id = _custom_id(raw)
    try:
        if wanted.kind is JobKind.SEARCH and isinstance(raw, dict) and "text" in raw:
            return Upload(custom_id=custom_id, text=SearchItem.model_validate(raw).text)
        item = model.model_validate(raw)
        content = _image_bytes(item, wanted.settings)
        if isinstance(item, EnrollItem):
            check_metadata(item.metadata)
    except ValidationError as error:
        no_label = model is EnrollItem and isinstance(raw, dict) and raw.keys().isdisjoint(_LABELS)
        return Upload(custom_id=custom_id, error=label_missing() if no_label else _item_error(error))
    except ExemplarError as error:
        return Upload(custom_id=custom_id, error=error)
    more: dict[str, Any] = {"custom_id": item.custom_id, "url": item.image.url}
    if isinstance(item, EnrollItem):
        more |= {"external_id": item.external_id, "metadata": item.metadata}
        wanted = replace(wanted, said=Said(item.label, item.labels, item.complete))
    return _checked(wanted, content, **more)


def _from_items(wanted: _Wanted) -> list[Upload]:
    """Read the items one by one: pictures of jobs are not in the body, and must not fill memory either."""
    uploads: list[Upload] = []
    size, settings = 0, wanted.settings
    for raw in _json_items(wanted.kind, settings.max_items):
        uploads.append(_from_json(wanted, raw))
        size += len(uploads[-1].content)
        if size > settings.max_body_bytes:
            raise ExemplarError(
                "body_too_large",
                f"expected pictures of at most {size_text(settings.max_body_bytes)} in all; "
                "send fewer at once",
            )
    return uploads


def _custom_id(raw: Any) -> str | None:
    try:
        return _CUSTOM_ID.validate_python(raw["custom_id"], strict=True)
    except (KeyError, TypeError, ValidationError):
        return None


def _image_bytes(item: EnrollItem | AskItem, settings: Settings) -> bytes:
    """Return the bytes of a picture, empty if it is to be fetched by its URL."""
    given = [name for name in ("base64", "job", "url") if getattr(item.image, name) is not None]
    if len(given) > 1:
        raise ExemplarError(
            "item_invalid", f"image: expected one of base64, job and url, got {' and '.join(given)}"
        )
    if item.image.job is not None:
        check_key(Scope.CLASSIFY)
        past, store = item.image.job, services().store
        require_visible(job_id=past.id)
        return find_read_picture(store.database, store.blobs, settings, past.id, past.item)
    if item.image.url is not None:
        check_picture_url(item.image.url, hosts=settings.fetch_hosts, private_too=settings.fetch_private)
        return b""
    if item.image.base64 is None:
        raise ExemplarError("picture_missing", "expected image.base64, image.job or image.url, got none")
    try:
        return decode_base64(item.image.base64)
    except ValueError as error:
        raise ExemplarError("item_invalid", f"image.base64: {error}") from error


def _item_error(error: ValidationError) -> ExemplarError:
    first = error.errors()[0]
    place = "/".join(str(part) for part in first["loc"])
    return ExemplarError("item_invalid", f"{place[:200] or 'item'}: {first['msg']}")


def _checked(wanted: _Wanted, content: bytes, *, custom_id: str | None = None, **more: Any) -> Upload:
    """Return a picture with what is said of it; `more` are other fields of the upload."""
    most = wanted.settings.max_picture_bytes
    try:
        clean = wanted.said.clean(wanted.labels) if KINDS[wanted.kind].enrols else None
        if not content and more.get("url") is None:
            raise ExemplarError("picture_empty", "expected a picture, got 0 bytes")
        if len(content) > most:
            text = f"expected a picture of at most {size_text(most)}, got {size_text(len(content))}"
            raise ExemplarError("picture_too_many_bytes", text)
    except ExemplarError as error:
        return Upload(custom_id=custom_id, error=error)
    several = isinstance(clean, LabelSet)
    said: dict[str, Any] = {"labels" if several else "label": clean}
    return Upload(content, custom_id=custom_id, **said, **more)
