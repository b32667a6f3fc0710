"""The service's error type, and the problem object (RFC 9457) that represents it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TITLES = {
    "merge_invalid": "Cannot merge",
    "url_fetch_off": "URL fetching is off",
    "webhooks_off": "Webhooks are off",
}

# codes of a record that cannot be used until a person changes it: starting again at once does not help
RECORD_REFUSALS = ("record_encoding_invalid", "record_forbidden", "record_too_new")


class ExemplarError(Exception):
    """An error with a stable code, and a message that says what to do.

    `retry` is true if the same request may succeed later unchanged.
    """

    def __init__(self, code: str, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry = retry


def title_of(code: str) -> str:
    """Return the short title of a code, such as "Label too long" or "Invalid name" (`name_invalid`)."""
    if code in TITLES:
        return TITLES[code]
    subject = code.removesuffix("_invalid")
    words = subject.replace("_", " ") if subject == code else f"invalid {subject.replace('_', ' ')}"
    return (words[:1].upper() + words[1:]).replace("Url ", "URL ")


def problem_of(error: ExemplarError) -> dict[str, Any]:
    """Return the problem object of an error, as in a failed item (without an HTTP status)."""
    return {
        "type": f"urn:exemplar:problem:{error.code}",
        "title": title_of(error.code),
        "code": error.code,
        "detail": error.message,
        "retry": error.retry,
    }


def error_of(problem: Mapping[str, Any]) -> ExemplarError:
    """Return the error that a problem object represents."""
    return ExemplarError(problem["code"], problem["detail"], retry=bool(problem.get("retry", False)))
