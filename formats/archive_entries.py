"""The entries of an archive: its files, by their folders or by a manifest."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePosixPath

from core.errors import ExemplarError
from core.picture_formats import live_photo_names
from formats.archives import MANIFESTS, Member, Zip, is_left_out
from formats.class_folders import ClassFolders
from formats.entry import Entry
from formats.manifests import Line, Row, read_csv, read_jsonl
from formats.names import printable_text


def without_manifest(members: Iterator[Member] | Zip, classes: ClassFolders) -> Iterator[Entry | None]:
    """Yield the files of an archive, each with the class of its folder; None for what is left out."""
    seen: set[int] = set()  # of hashes: names would take ten times as much
    # a tar is read from its front and once: it tells of the picture too late
    live = live_photo_names(members.paths()) if isinstance(members, Zip) else frozenset()
    for member in members:
        if is_left_out(member.path) or member.path in live:
            yield None
            continue
        error = member.error
        if error is None and hash(member.path) in seen:
            error = ExemplarError("member_repeated", "the archive holds another file of this path before")
        if error is None and member.path in MANIFESTS:
            error = ExemplarError("manifest_invalid", "expected the manifest of a tar as its first file")
        seen.add(hash(member.path))
        label, error = class_of(classes, member.path, error)
        yield Entry(
            custom_id=shown(member.path),
            label=label,
            size=member.size,
            read=member.read,
            error=error,
        )


def class_of(
    classes: ClassFolders, path: str, error: ExemplarError | None
) -> tuple[str | None, ExemplarError | None]:
    """Return the class that the folder of a path names, or the error that stands in its place."""
    if error is not None:
        return PurePosixPath(path).parent.name or None, error
    try:
        return classes.class_of(path), None
    except ExemplarError as raised:
        return None, raised


def joined(row: Row, member: Member | None) -> Entry:
    """Return the entry of a row of a manifest and the file that it names."""
    if member is None:
        error: ExemplarError | None = ExemplarError(
            "member_missing", f"the archive holds no {row.path!r:.200}"
        )
    else:
        error = member.error
    return Entry(
        custom_id=row.custom_id if row.custom_id is not None else shown(row.path or ""),
        label=row.label,
        labels=row.label_texts,
        complete=row.complete,
        external_id=row.external_id,
        metadata=row.metadata,
        size=0 if member is None else member.size,
        read=None if member is None else member.read,
        error=error,
    )


def shown(path: str) -> str:
    """Return a path as an item's `custom_id`."""
    return printable_text(path[:1024])


def rows_of(manifest: Member) -> Iterator[Line]:
    """Yield the lines of a manifest that lies in its archive; raises what is wrong with the file."""
    if manifest.error is not None:
        raise manifest.error
    file = BytesIO(manifest.read())
    return read_csv(file) if MANIFESTS[manifest.path] else read_jsonl(file)
