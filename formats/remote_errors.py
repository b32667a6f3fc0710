"""Errors of fsspec's file systems, as the errors of pictures that are elsewhere."""

from __future__ import annotations

import errno

from core.errors import ExemplarError

REMOTE_UNAVAILABLE = "remote_unavailable"
# Errors that mean that an object will never be there; all other system errors may be transient.
_FOR_GOOD = {
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.ENAMETOOLONG,
    errno.ELOOP, errno.ENOTSUP,
}  # fmt: skip
_PASSING = {408, 425, 429}  # transient HTTP statuses, in addition to 500 and above
_INSTALL = {
    **dict.fromkeys(("s3", "s3a"), "'exemplar[s3]'"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "adlfs"),
}


def remote_error(
    error: Exception, url: str, *, what: str = "object", code: str = "picture_unreadable"
) -> ExemplarError:
    """Return `remote_unavailable` (retry), `package_missing`, or the error for good."""
    if isinstance(error, ImportError):
        scheme = url.partition("://")[0]
        return ExemplarError(
            "package_missing",
            f"{scheme}:// is read by a package that is not installed here: "
            f"pip install {_INSTALL.get(scheme, 'its fsspec package')} ({error})"[:300],
        )
    if isinstance(error, FileNotFoundError):
        return ExemplarError(code, f"there is no such {what}")
    if may_pass(error):
        return ExemplarError(
            REMOTE_UNAVAILABLE, f"the {what} could not be read now: {error}"[:300], retry=True
        )
    return ExemplarError(code, f"the {what} could not be read: {error}"[:300])


def may_pass(error: BaseException) -> bool:
    """Return whether an error is transient: a time-out, a broken connection, or a status 5xx."""
    status = _status(error)
    if status is not None:
        return status >= 500 or status in _PASSING
    if isinstance(error, (TimeoutError, ConnectionError)):
        return True
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError | PermissionError):
        return error.errno not in _FOR_GOOD
    # the cloud clients share no base class: botocore's ConnectTimeoutError, aiohttp's ClientConnectionError
    names = [kind.__name__ for kind in type(error).__mro__]
    return any("Timeout" in name or "Connection" in name for name in names)


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of a cloud client's error, whatever its attribute is called."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        return _number(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    for name in ("status", "status_code", "code"):  # aiohttp, azure, gcsfs
        number = _number(getattr(error, name, None))
        if number is not None:
            return number
    return None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and 100 <= value < 600 else None
