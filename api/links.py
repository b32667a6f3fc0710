"""Paths of this API as a caller reaches them: behind a proxy on a sub-path they begin with its prefix."""

from __future__ import annotations

from flask import request


def link(path: str) -> str:
    """Return a path under the prefix that a trusted proxy names in X-Forwarded-Prefix."""
    return request.script_root + path
