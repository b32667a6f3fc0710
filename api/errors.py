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

STATUS_OF = {
    "archive_empty": 422,
    "archive_too_large": 413,
    "archive_unreadable": 422,
    "body_empty": 400,
    "body_too_large": 413,
    "body_unreadable": 400,
    "bundle_damaged": 422,
    "bundle_invalid": 422,
    "class_ambiguous": 422,
    "class_deleted": 409,
    "class_exists": 409,
    "class_not_found": 404,
    "collection_exists": 409,
    "collection_fixed": 422,
    "collection_not_found": 404,
    "blob_not_found": 404,
    "blobs_unavailable": 503,
    "remote_unavailable": 503,
    "contribution_not_found": 404,
    "cursor_invalid": 400,
    "embeddings_late": 503,
    "encoder_changed": 409,
    "encoder_differs": 422,
    "erasure_not_found": 404,
    "encoder_not_offered": 422,
    "encoder_unknown": 422,
    "export_empty": 409,
    "headers_too_large": 431,
    "host_not_allowed": 421,
    "idempotency_conflict": 422,
    "index_invalid": 422,
    "index_unsupported": 422,
    "internal_error": 500,
    "item_not_found": 404,
    "item_invalid": 422,
    "items_too_many": 413,
    "job_not_found": 404,
    "job_state_invalid": 409,
    "key_collection_missing": 403,
    "key_in_use": 409,
    "key_missing": 401,
    "key_not_found": 404,
    "key_unknown": 401,
    "key_scope_missing": 403,
    "label_missing": 422,
    "label_too_long": 422,
    "label_invalid": 422,
    "labels_invalid": 422,
    "labels_unsupported": 422,
    "manifest_invalid": 422,
    "media_type_invalid": 415,
    "merge_invalid": 422,
    "method_not_allowed": 405,
    "min_version_ahead": 409,
    "name_invalid": 422,
    "origin_not_allowed": 403,
    "package_missing": 501,
    "path_not_allowed": 422,
    "prefix_unreadable": 422,
    "path_not_found": 404,
    "picture_empty": 422,
    "picture_erased": 410,
    "picture_missing": 422,
    "picture_too_many_bytes": 413,
    "prompts_invalid": 422,
    "quarantine_full": 409,
    "queue_full": 429,
    "queue_unavailable": 503,
    "record_forbidden": 503,
    "record_unavailable": 503,
    "reindex_incomplete": 409,
    "reindex_not_found": 404,
    "reindex_state_invalid": 409,
    "reindex_invalid": 422,
    "reindex_unready": 409,
    "report_failed": 503,
    "request_refused": 400,
    "request_invalid": 422,
    "retry_empty": 409,
    "rule_invalid": 422,
    "smooth_invalid": 422,
    "streams_full": 503,
    "support_not_found": 404,
    "target_not_allowed": 422,
    "target_invalid": 422,
    "text_side_missing": 422,
    "too_many_requests": 429,
    "url_fetch_off": 422,
    "where_invalid": 422,
    "url_not_allowed": 422,
    "url_refused": 422,
    "vectors_missing": 409,
    "version_gone": 410,
    "version_invalid": 422,
    "version_name_taken": 409,
    "version_not_found": 404,
    "views_invalid": 422,
    "webhooks_off": 422,
}
ITEM_CODES = (
    "archive_nested",
    "encoder_weights_missing",
    "encoder_weights_invalid",
    "index_unavailable",
    "member_encrypted",
    "member_missing",
    "member_repeated",
    "member_invalid",
    "member_unreadable",
    "picture_bomb",
    "picture_refused",
    "picture_too_large",
    "picture_unreadable",
    "redecide_outdated",
    "reindex_gone",
    "review_changed",
    "target_failed",
    "target_unresolved",
    "url_failed",
    "url_too_large",
    "url_unreachable",
    "vector_invalid",
    "work_failed",
    "worker_lost",
)
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
