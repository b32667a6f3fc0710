"""The HTTP statuses of error codes: the only place where a code meets a status (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, json
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from api.requests import request_id
from core.errors import ExemplarError, problem_of, title_of
from core.sizes import size_text

log = structlog.get_logger("exemplar.api")

_CODES_BY_STATUS = {
    400: "body_empty body_unreadable cursor_invalid request_refused",
    401: "key_missing key_unknown",
    403: "key_collection_missing key_scope_missing origin_not_allowed",
    404: (
        "blob_not_found class_not_found collection_not_found contribution_not_found erasure_not_found "
        "item_not_found job_not_found key_not_found path_not_found reindex_not_found "
        "support_not_found version_not_found"
    ),
    405: "method_not_allowed",
    409: (
        "class_deleted class_exists collection_exists encoder_changed export_empty job_state_invalid "
        "key_in_use min_version_ahead quarantine_full reindex_incomplete reindex_state_invalid "
        "reindex_unready retry_empty vectors_missing version_name_taken"
    ),
    410: "picture_erased version_gone",
    413: "archive_too_large body_too_large items_too_many picture_too_many_bytes",
    415: "media_type_invalid",
    421: "host_not_allowed",
    422: (
        "archive_empty archive_unreadable bundle_damaged bundle_invalid class_ambiguous "
        "collection_fixed encoder_differs encoder_not_offered encoder_unknown idempotency_conflict "
        "index_invalid index_unsupported item_invalid label_invalid label_missing label_too_long "
        "labels_invalid labels_unsupported manifest_invalid merge_invalid name_invalid "
        "path_not_allowed picture_empty picture_missing prefix_unreadable prompts_invalid "
        "reindex_invalid request_invalid rule_invalid smooth_invalid target_invalid "
        "target_not_allowed text_side_missing url_fetch_off url_not_allowed url_refused "
        "version_invalid views_invalid webhooks_off where_invalid"
    ),
    429: "queue_full too_many_requests",
    431: "headers_too_large",
    500: "internal_error",
    501: "package_missing",
    503: (
        "blobs_unavailable embeddings_late queue_unavailable record_forbidden record_unavailable "
        "remote_unavailable report_failed streams_full"
    ),
}
STATUS_OF = {code: status for status, codes in _CODES_BY_STATUS.items() for code in codes.split()}
ITEM_CODES = (
    "archive_nested", "encoder_weights_invalid", "encoder_weights_missing", "index_unavailable",
    "member_encrypted", "member_invalid", "member_missing", "member_repeated", "member_unreadable",
    "picture_bomb", "picture_refused", "picture_too_large", "picture_unreadable", "redecide_outdated",
    "reindex_gone", "review_changed", "target_failed", "target_unresolved", "url_failed", "url_too_large",
    "url_unreachable", "vector_invalid", "work_failed", "worker_lost",
)  # fmt: skip
"""Codes that occur only in the items of a job or the log of its deliveries, never for a whole request."""

RETRY_AFTER_S = 2
MOST_SHOWN = 10  # errors of one body
MOST_TEXT = 200  # characters of a caller's own text in an answer
_CODE_OF = {404: "path_not_found", 405: "method_not_allowed", 413: "body_too_large"}


def problem_response(problem: dict[str, Any], status: int, **more: Any) -> Response:
    """Return a problem object as a response."""
    body = json.dumps({**problem, "status": status, "request_id": request_id(), **more})
    response = Response(body, status, content_type="application/problem+json")
    if status in (429, 503):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="exemplar"'
    return response


def handle_errors(app: Flask) -> None:
    """Return every error of the app as a problem object."""

    @app.errorhandler(ExemplarError)
    def _ours(error: ExemplarError) -> Response:
        return problem_response(problem_of(error), STATUS_OF.get(error.code, 400))

    @app.errorhandler(ValidationError)
    def _invalid(error: ValidationError) -> Response:
        found = [
            {"at": "/".join(str(part) for part in one["loc"])[:MOST_TEXT], "message": one["msg"][:MOST_TEXT]}
            for one in error.errors(include_url=False, include_context=False, include_input=False)[
                :MOST_SHOWN
            ]
        ]
        first = found[0]
        problem = problem_of(ExemplarError("request_invalid", f"{first['at'] or 'body'}: {first['message']}"))
        return problem_response(problem, 422, errors=found)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = error.code or 500
        code = _CODE_OF.get(status, "request_refused")
        detail = error.description or title_of(code)
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            detail = (
                f"expected a body of at most {size_text(app.config['MAX_CONTENT_LENGTH'])} in at most "
                f"{app.config['MAX_FORM_PARTS']} parts; send fewer pictures at once"
            )
        response = problem_response(problem_of(ExemplarError(code, detail)), status)
        if isinstance(error, MethodNotAllowed):
            response.allow.update(error.valid_methods or ())
        return response

    @app.errorhandler(RecursionError)
    def _deep(error: RecursionError) -> Response:
        return _ours(ExemplarError("body_unreadable", "expected JSON that is not nested so deeply"))

    @app.errorhandler(Exception)
    def _internal_error(error: Exception) -> Response:
        log.error("request_failed", exc_info=error)
        problem = problem_of(
            ExemplarError("internal_error", "an internal error occurred; it has been logged")
        )
        return problem_response(problem, 500)
