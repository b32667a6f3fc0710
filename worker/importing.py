"""Importing: the supports of a collection's file, verified first and then written a slice at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import structlog

from core.errors import ExemplarError, problem_of
from core.jobs import Item
from core.pictures import decode_picture, make_thumbnail
from core.probe import is_same_encoder
from core.settings import Settings
from core.vectors import unpack_vector
from formats.bundle import BundleSupport
from formats.bundle_reader import Bundle, open_bundle
from store.blobs import PICTURES, THUMBNAILS, BlobFile, uploads_of
from store.record.enrolment import Enrolment
from store.store import Store
from store.work.sources import HeldSource
from worker.activity import Progress

log = structlog.get_logger("exemplar.worker")

SLICE_ITEMS = 256  # supports whose pictures are decoded, which takes a second or two


@dataclass(slots=True)
class _Reading:
    file: BlobFile
    bundle: Bundle
    supports: Iterator[BundleSupport]
    position: int


class Importer:
    """Writes the supports of files; an invalid file ends its job before the first support is written."""

    def __init__(self, store: Store, settings: Settings, owner: str, progress: Progress) -> None:
        self._store = store
        self._settings = settings
        self._owner = owner
        self._progress = progress
        self._open: dict[str, _Reading] = {}

    def slice(self, held: HeldSource) -> None:
        """Write the next supports of a file."""
        try:
            reading = self._reading(held)
            supports = list(islice(reading.supports, SLICE_ITEMS))
        except ExemplarError as error:
            if error.retry:
                raise
            self.refuse(held, error)
            return
        outcomes = [
            self._outcome(reading.bundle, held.position + number, one) for number, one in enumerate(supports)
        ]
        position = held.position + len(outcomes)
        last = position >= reading.bundle.manifest.supports
        ours = self._store.imports.settle(self._owner, held.job_id, held.position, outcomes, last=last)
        reading.position = position
        if last or not ours:
            self.close(held.job_id)
        if last:
            log.info("collection_imported", job=held.job_id, supports=position)

    def close(self, job_id: str) -> None:
        """Close a file."""
        reading = self._open.pop(job_id, None)
        if reading is not None:
            reading.file.close()

    def _reading(self, held: HeldSource) -> _Reading:
        found = self._open.get(held.job_id)
        if found is not None and found.position == held.position:
            return found
        self.close(held.job_id)
        file = self._store.blobs.open(uploads_of(held.job_id), held.source.bundle or "")
        bundle = open_bundle(file, self._settings)
        if held.position == 0:  # a later position means that the file has been verified
            bundle.verify(self._progress.moved)
            check_probe(self._store, bundle)
        reading = _Reading(file, bundle, bundle.supports(held.position), held.position)
        self._open[held.job_id] = reading
        return reading

    def _outcome(self, bundle: Bundle, number: int, one: BundleSupport) -> Item | Enrolment:
        self._progress.moved()
        item = Item(
            number,
            one.picture,
            label=one.label,
            external_id=one.external_id,
            metadata=one.metadata,
            labels=None if one.labels is None else one.labels.labels,
            complete=one.labels is not None and one.labels.complete,
        )
        try:
            thumbnail = self._keep_picture(bundle, one.picture)
        except ExemplarError as error:
            if error.retry:
                raise
            return replace(item, problem=problem_of(error))
        return Enrolment(item, unpack_vector(one.vector), thumbnail, one.created_at)

    def _keep_picture(self, bundle: Bundle, digest: str) -> str:
        """Store a picture and return its thumbnail's digest, empty if the file has no picture."""
        content = bundle.picture(digest)
        if content is None:
            return ""
        picture = decode_picture(
            content, max_pixels=self._settings.max_pixels, formats_off=self._settings.formats_off
        )
        self._store.blobs.put(PICTURES, content)
        return self._store.blobs.put(THUMBNAILS, make_thumbnail(picture))

    def refuse(self, held: HeldSource, error: ExemplarError) -> None:
        """End a job with its file's error."""
        log.warning("import_refused", job=held.job_id, code=error.code, error=error.message)
        refused = Item(held.position, problem=problem_of(error))
        self._store.imports.settle(self._owner, held.job_id, held.position, [refused], last=True)
        self.close(held.job_id)


def check_probe(store: Store, bundle: Bundle) -> None:
    """Raise `encoder_differs` if the encoder of this name gives other vectors here."""
    encoder = bundle.manifest.encoder
    probe = store.probes.get(encoder.spec)
    if probe is None:
        return
    here = probe.vector
    if len(here) != encoder.dim:
        raise ExemplarError(
            "encoder_differs", f"{encoder.spec} gives {len(here)} components here, {encoder.dim} in the file"
        )
    if encoder.probe is not None and not is_same_encoder(np.array(encoder.probe, np.float32), here):
        raise ExemplarError(
            "encoder_differs",
            f"{encoder.spec} has other weights here, so its vectors do not match the file's; import "
            "with an encoder named, which embeds the pictures again",
        )
