"""What a bulk job's items are read from, as one stream of entries in an order that never changes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache, partial
from itertools import chain

from core.collections import Labels
from core.errors import ExemplarError
from core.jobs import Source, is_web_url
from core.label_sets import LabelSet
from core.settings import Settings
from core.sizes import size_text
from formats.archive_entries import class_of, joined, rows_of, shown, without_manifest
from formats.archives import MANIFESTS, Tar, Zip, is_left_out, open_archive
from formats.bounded_reader import Seekable
from formats.bundle_reader import Bundle, open_bundle
from formats.class_folders import ClassFolders, ClassFrom
from formats.entry import Entry
from formats.manifest_join import ManifestJoin
from formats.manifests import Line, Row, read_csv, read_jsonl
from formats.names import spellings
from formats.remote_folders import list_objects
from formats.remote_names import allowed_prefix
from formats.server_folders import resolve, walk

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://[^\x00-\x20/]+(?:/[^\x00-\x1f]*)?")
_OURS = {"file", "local", "pack"}  # schemes that places of our own begin with, or files of the server


def read_entries(
    source: Source, open_file: Callable[[str], Seekable], settings: Settings, *, enrols: bool
) -> Iterator[Entry]:
    """Yield the entries of a source; the last one is an error where it breaks off or is longer than allowed.

    Reading it again gives the same entries, so a number of entries says how far a reader came. What may be
    better another time is raised: `blobs_unavailable`.
    """
    steps = read_steps(source, open_file, settings, enrols=enrols)
    return (entry for entry in steps if entry is not None)


def read_steps(
    source: Source,
    open_file: Callable[[str], Seekable],
    settings: Settings,
    *,
    enrols: bool,
    count: int = 0,
) -> Iterator[Entry | None]:
    """Yield the same entries, and None for each file that is passed over: a reader may stop there too.

    Of a source that begins `after` an object, `count` is the number of entries before that.
    """
    size = 0
    try:
        otherwise = label_of(source, settings)
        classes = ClassFolders(source.class_from if enrols else ClassFrom.NEAREST)
        for entry in _Reader(source, open_file, settings, classes).entries():
            if entry is None:
                yield None
                continue
            if count == settings.bulk_max_items:
                raise ExemplarError(
                    "items_too_many", f"expected at most {count} items; what comes after them is left out"
                )
            count += 1
            if entry.read is not None and entry.error is None:
                size += entry.size  # of a zip never less than what comes out of it
            if size > settings.bulk_max_unpacked_bytes:
                raise ExemplarError(
                    "archive_too_large",
                    f"expected at most {size_text(settings.bulk_max_unpacked_bytes)} unpacked; the rest "
                    "is left",
                )
            if enrols:
                yield _labelled(entry, otherwise, source.labels)
            else:
                yield replace(entry, label=None, labels=None, complete=None)
        if count == 0:
            raise ExemplarError("archive_empty", "expected one or more pictures, found none")
    except ExemplarError as error:
        if error.retry:
            raise
        yield Entry(error=error)


def label_of(source: Source, settings: Settings) -> str | None:
    """Return the label of pictures that have none of their own: as asked for, or of a folder or bucket."""
    if source.label is None and source.prefix is not None:
        return allowed_prefix(source.prefix, settings.remote_prefixes).name
    if source.label is not None or source.folder is None:
        return source.label
    return os.path.basename(resolve(source.folder, settings.roots))


def _labelled(entry: Entry, otherwise: str | None, labels: Labels) -> Entry:
    if entry.error is not None:
        return entry
    said = entry.said
    if said.label is None and said.labels is None:
        said = replace(said, label=otherwise)
    unlabelled = replace(entry, label=None, labels=None, complete=None)
    try:
        clean = said.clean(labels)
    except ExemplarError as error:
        return replace(unlabelled, error=error)
    if isinstance(clean, LabelSet):
        return replace(unlabelled, labels=clean.labels, complete=clean.complete)
    return replace(unlabelled, label=clean)


class _Reader:
    def __init__(
        self, source: Source, open_file: Callable[[str], Seekable], settings: Settings, classes: ClassFolders
    ) -> None:
        self._source = source
        self._open = open_file
        self._settings = settings
        self._classes = classes

    def entries(self) -> Iterator[Entry | None]:
        source = self._source
        if source.folder is not None:
            return self._of_folder(source.folder)
        if source.prefix is not None:
            return self._of_prefix(source.prefix, source.after)
        if source.bundle is not None:
            return self._of_bundle(source.bundle)
        rows = None if source.manifest is None else self._rows(source.manifest)
        if source.archive is None:
            return map(self._elsewhere, rows or ())
        archive = open_archive(
            self._open(source.archive),
            max_member_bytes=self._settings.max_picture_bytes,
            max_bytes=self._settings.bulk_max_unpacked_bytes,
            max_items=self._settings.bulk_max_items,
        )
        return self._of_zip(archive, rows) if isinstance(archive, Zip) else self._of_tar(archive, rows)

    def _rows(self, manifest: str) -> Iterator[Line]:
        file = self._open(manifest)
        return read_csv(file) if self._source.manifest_is_csv else read_jsonl(file)

    def _of_bundle(self, name: str) -> Iterator[Entry]:
        """Yield the supports of a collection's file as pictures to embed anew."""
        bundle = open_bundle(self._open(name), self._settings)
        for one in bundle.supports():
            yield Entry(
                custom_id=str(one.id),
                label=one.label,
                labels=None if one.labels is None else one.labels.labels,
                complete=None if one.labels is None else one.labels.complete,
                external_id=one.external_id,
                metadata=one.metadata,
                size=bundle.picture_size(one.picture),
                read=partial(_picture_of, bundle, one.picture),
            )

    def _of_folder(self, folder: str) -> Iterator[Entry]:
        for found in walk(folder, self._settings.roots):
            label, error = class_of(self._classes, found.path, found.error)
            yield Entry(
                custom_id=found.path,
                label=label,
                size=found.size,
                place=f"file:{found.file}",
                error=error,
            )

    def _of_prefix(self, url: str, after: str | None) -> Iterator[Entry | None]:
        prefix = allowed_prefix(url, self._settings.remote_prefixes)
        seen = None if after is None else prefix.path_of(after)
        # which folders would become one class depends on all that came before
        begin = None if self._classes.remembers else seen
        for found in list_objects(prefix, after=begin):
            if found is None:
                yield None
                continue
            label, error = class_of(self._classes, found.path, found.error)
            if seen is not None and found.path <= seen:
                yield None
                continue
            yield Entry(
                custom_id=shown(found.path), label=label, size=found.size, place=found.url, error=error
            )

    def _of_zip(self, archive: Zip, rows: Iterator[Line] | None) -> Iterator[Entry | None]:
        find = archive.by_path() if rows is not None else None
        if find is None:
            inside = next((member for member in archive if member.path in MANIFESTS), None)
            if inside is None:
                yield from without_manifest(archive, self._classes)
                return
            find, rows = archive.by_path(), rows_of(inside)
        for line in rows or ():
            if isinstance(line, ExemplarError) or line.path is None:
                yield self._elsewhere(line)
            else:
                yield joined(line, find(line.path))

    def _of_tar(self, archive: Tar, rows: Iterator[Line] | None) -> Iterator[Entry | None]:
        members = iter(archive)
        while (first := next(members, None)) is not None and is_left_out(first.path):
            yield None
        if first is not None and rows is None and first.path in MANIFESTS:
            rows, first = rows_of(first), None
        together = chain(() if first is None else (first,), members)
        if rows is None:
            yield from without_manifest(together, self._classes)
            return
        with closing(ManifestJoin(rows)) as join:
            for member in together:
                rows_here = join.take(member.path)
                if not rows_here:
                    yield None
                if len(rows_here) > 1:  # a tar gives the bytes once
                    member = replace(member, read=cache(member.read))  # noqa: PLW2901
                for row in rows_here:
                    yield joined(row, member)
            for line in join.rest():
                if isinstance(line, ExemplarError) or line.path is None:
                    yield self._elsewhere(line)
                else:
                    yield joined(line, None)

    def _elsewhere(self, line: Line) -> Entry:
        """Return the entry of a row whose picture is in no archive."""
        if isinstance(line, ExemplarError):
            return Entry(error=line)
        place, error = None, None
        try:
            place = self._place(line)
        except ExemplarError as raised:
            error = raised
        return Entry(
            line.custom_id,
            line.label,
            line.external_id,
            line.metadata,
            place=place,
            error=error,
            labels=line.label_texts,
            complete=line.complete,
        )

    def _place(self, row: Row) -> str:
        if row.file is not None:
            return f"file:{self._resolve(row.file)}"
        if row.url is not None:
            scheme = _URL.fullmatch(row.url)
            with_space = is_web_url(row.url) and " " in row.url  # which names of objects may have
            if scheme is None or scheme[1].lower() in _OURS or with_space:
                raise ExemplarError(
                    "url_not_allowed",
                    f"expected a URL, https:// or s3:// say, and no file of the server, got {row.url!r:.200}",
                )
            return row.url
        raise ExemplarError("member_missing", f"there is no archive to hold {row.path!r:.200}")

    def _resolve(self, file: str) -> str:
        for spelling in spellings(file):
            with suppress(ExemplarError):
                return resolve(spelling, self._settings.roots)
        return resolve(file, self._settings.roots)  # raises what is wrong with it as it is written


def _picture_of(bundle: Bundle, digest: str) -> bytes:
    content = bundle.picture(digest)
    if content is None:
        raise ExemplarError("member_missing", "the picture of this support did not come along")
    return content
