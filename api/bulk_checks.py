"""What a bulk call reads of its source before it accepts the job; a worker reads the rest."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing

from api.services import services
from core.jobs import JobKind, Source
from core.settings import Settings
from formats.entries import read_steps
from formats.entry import Entry
from store.blobs import BlobFile, uploads_of
from store.work.kinds import KINDS

CHECKED_BYTES = 128 << 20  # unpacked bytes that the call checks
CHECK_CLASSES_S = 2.0  # time limit of looking for folders that would become one class


def steps_of(
    job_id: str, source: Source, kind: JobKind, *, settings: Settings | None = None
) -> Generator[Entry | None, None, None]:
    """Yield what a worker will read, None for what it skips; the files are closed at the end."""
    files: list[BlobFile] = []

    def open_file(name: str) -> BlobFile:
        files.append(services().store.blobs.open(uploads_of(job_id), name))
        return files[-1]

    try:
        chosen = settings or services().settings
        yield from read_steps(source, open_file, chosen, enrols=KINDS[kind].enrols)
    finally:
        for file in files:
            file.close()


def check_begins(job_id: str, source: Source, kind: JobKind) -> None:
    """Raise the first entry's error if no valid entry follows.

    It reads at most `CHECKED_BYTES` of packed content, which bounds the time of the call.
    """
    settings = services().settings
    chosen = _checked_settings()
    most = chosen.bulk_max_unpacked_bytes
    with closing(steps_of(job_id, source, kind, settings=chosen)) as steps:
        entries = (entry for entry in steps if entry is not None)
        first = next(entries)
        is_cut = (
            first.error is not None
            and first.error.code == "archive_too_large"
            and most < settings.bulk_max_unpacked_bytes
        )
        if first.error is not None and not is_cut and next(entries, None) is None:
            raise first.error


def check_classes(job_id: str, source: Source) -> None:
    """Raise `class_ambiguous` where folders of one name lie in different places."""
    until = time.monotonic() + CHECK_CLASSES_S
    with closing(steps_of(job_id, source, JobKind.ENROLL, settings=_checked_settings())) as steps:
        for entry in steps:
            if entry is not None and entry.error is not None and entry.error.code == "class_ambiguous":
                raise entry.error
            if time.monotonic() > until:
                return


def _checked_settings() -> Settings:
    settings = services().settings
    most = min(settings.bulk_max_unpacked_bytes, max(CHECKED_BYTES, 3 * settings.max_picture_bytes))
    return settings.model_copy(update={"bulk_max_unpacked_bytes": most})
