"""Checks of snapshots: damaged or orphaned ones are deleted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from core.findings import Finding

NAME = re.compile(r"c(?P<collection>\d+)-v(?P<version>\d+)-(?P<digest>[0-9a-f]{64})\.npz")
"""The name of a snapshot's file: collection, version and checksum."""


def examine_snapshots(folder: Path, versions: Mapping[int, int]) -> Iterator[Finding]:
    """Yield problems of the snapshots of one data folder; `versions` are the collections' by id."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = {path: match for path in files if (match := NAME.fullmatch(path.name))}
    damaged = [path for path, match in found.items() if not _is_intact(path, match["digest"])]
    if damaged:
        message = f"{len(damaged)} snapshots are damaged; workers write new ones from the record"
        yield Finding("snapshots", "snapshot_damaged", message, len(damaged), partial(_remove, damaged))
    orphaned = [
        path
        for path, match in found.items()
        if path not in damaged and int(match["version"]) > versions.get(int(match["collection"]), -1)
    ]
    if orphaned:
        message = f"{len(orphaned)} snapshots belong to collections or versions that the record does not have"
        yield Finding("snapshots", "snapshot_orphaned", message, len(orphaned), partial(_remove, orphaned))


def _is_intact(path: Path, digest: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == digest
    except FileNotFoundError:  # a worker wrote a newer one and deleted it
        return True
    except OSError:
        return False


def _remove(paths: Sequence[Path]) -> int:
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)
