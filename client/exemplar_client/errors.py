"""The one exception of the client: what the service answered, or that it did not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx


class ServiceError(Exception):
    """A problem object of the service (RFC 9457), or that none came.

    `code` stays the same from version to version, `detail` says what was expected and what came, `status` is
    None where nothing was answered or one item failed, and `retry` is true where the same call may succeed
    later. `retry_after_s` is how long the service asks to be left alone.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        title: str | None = None,
        status: int | None = None,
        retry: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{detail} ({code})")
        self.code = code
        self.title = title or code.replace("_", " ").capitalize()
        self.detail = detail
        self.status = status
        self.retry = retry
        self.retry_after_s = retry_after_s


def error_of(problem: Mapping[str, Any], *, retry_after_s: float | None = None) -> ServiceError:
    """Return the error that a problem object describes."""
    return ServiceError(
        problem["code"],
        problem["detail"],
        title=problem.get("title"),
        status=problem.get("status"),
        retry=bool(problem.get("retry", False)),
        retry_after_s=retry_after_s,
    )


def error_of_response(response: httpx.Response) -> ServiceError:
    """Return the error of an answer that has been read; a proxy before the service may have sent it."""
    after_s = _seconds(response.headers.get("Retry-After"))
    try:
        return error_of({**response.json(), "status": response.status_code}, retry_after_s=after_s)
    except (ValueError, KeyError, TypeError):
        return ServiceError(
            "service_failed",
            f"the service answered {response.status_code}",
            status=response.status_code,
            retry=response.status_code >= 500,
            retry_after_s=after_s,
        )


def unreachable(url: str, error: httpx.RequestError) -> ServiceError:
    """Return the error for a call that got no answer."""
    reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or "the connection broke"
    found = ServiceError("service_unreachable", f"no service answers at {url} ({reason})", retry=True)
    found.__cause__ = error
    return found


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdigit() else None
