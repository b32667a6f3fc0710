"""The client: every call of the API, those that take pictures or give streams written out here."""

# Generated; `make generate` writes it.

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from exemplar_client import models
from exemplar_client.calls import Calls
from exemplar_client.errors import ServiceError
from exemplar_client.job import Job
from exemplar_client.requests import (
    Content,
    Form,
    Pictures,
    Request,
    base64_of,
    bulk_request,
    given,
    in_path,
    in_query,
    labelled,
    picture_files,
    submitting,
)

Item = models.EnrollItem | models.AskItem | Mapping[str, Any]


class Exemplar(Calls):
    """A service. What takes pictures gives a job; `wait_s` lets the service hold its answer until the end.

    Submissions carry an Idempotency-Key, so that one that is sent again is done once; `key` sets one's own,
    which also makes it safe to submit again after one's own process has died.
    """

    def enroll(
        self,
        collection: str,
        pictures: Pictures,
        label: str | Sequence[str],
        *,
        complete: bool | None = None,
        webhook: str | None = None,
        wait_s: float = 0.0,
        key: str | None = None,
    ) -> Job:
        """Enrol pictures of a class, or of several labels, which exist as soon as the first one is enrolled.

        `complete` says of several labels that the pictures have no others; an empty list says that of all.
        """
        query, form = in_query(webhook=webhook), labelled(label, complete)
        return self._submit(collection, "enroll", pictures, query, submitting(key, wait_s), form=form)

    def classify(
        self,
        collection: str,
        pictures: Pictures,
        *,
        top: int | None = None,
        min_version: int | None = None,
        version: int | None = None,
        webhook: str | None = None,
        where: Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
        key: str | None = None,
    ) -> Job:
        """Name what is in pictures, as of a version, or by the supports whose metadata match `where`."""
        query = in_query(top=top, min_version=min_version, version=version, webhook=webhook, where=where)
        return self._submit(collection, "classify", pictures, query, submitting(key, wait_s))

    def search(
        self,
        collection: str,
        pictures: Pictures,
        *,
        top: int | None = None,
        min_version: int | None = None,
        version: int | None = None,
        where: Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
        key: str | None = None,
    ) -> Job:
        """Find the nearest supports of pictures, without a decision; of a version if one is given."""
        query = in_query(top=top, min_version=min_version, version=version, where=where)
        return self._submit(collection, "search", pictures, query, submitting(key, wait_s))

    def search_text(
        self, collection: str, text: str, *, wait_s: float = 0.0, key: str | None = None, **query: Any
    ) -> Job:
        """Find the supports that are nearest to a text; `query` takes top, min_version and where."""
        return self._job(
            Request(
                "POST",
                f"/v1/collections/{in_path(collection)}/search",
                in_query(**query),
                submitting(key, wait_s),
                json={"text": text},
                may_repeat=True,
            )
        )

    def submit_items(
        self,
        collection: str,
        kind: str,
        items: Sequence[Item],
        *,
        wait_s: float = 0.0,
        key: str | None = None,
        **query: Any,
    ) -> Job:
        """Enrol, classify or search with items that carry ids, labels or metadata of their own, as JSON."""
        return self._job(
            Request(
                "POST",
                f"/v1/collections/{in_path(collection)}/{in_path(kind)}",
                in_query(**query),
                submitting(key, wait_s),
                json=given(items=list(items)),
                may_repeat=True,
            )
        )

    def bulk(
        self,
        collection: str,
        content: Content,
        *,
        kind: str = "classify",
        media_type: str | None = None,
        wait_s: float = 0.0,
        key: str | None = None,
        **query: Any,
    ) -> Job:
        """Classify or enrol an archive or a manifest as one job; a file is sent as it is read.

        `query` is what the call takes besides: label, top, min_version, version, smooth, webhook, where.
        """
        request = bulk_request(collection, content, media_type, submitting(key, wait_s), kind=kind, **query)
        return self._job(request)

    def dry_run(
        self,
        collection: str,
        content: Content,
        *,
        kind: str = "classify",
        media_type: str | None = None,
        **query: Any,
    ) -> models.DryRun:
        """Say what a bulk job would do."""
        request = bulk_request(collection, content, media_type, {}, kind=kind, dry_run=True, **query)
        return self._json(request, models.DryRun)

    def bulk_places(
        self,
        collection: str,
        *,
        folder: str | None = None,
        urls: Sequence[str] | None = None,
        prefix: str | None = None,
        kind: str = "classify",
        wait_s: float = 0.0,
        key: str | None = None,
        **query: Any,
    ) -> Job:
        """Classify or enrol a folder of the server's, a prefix of a bucket, or pictures by their URLs."""
        return self._job(
            Request(
                "POST",
                f"/v1/collections/{in_path(collection)}/bulk",
                in_query(kind=kind, **query),
                submitting(key, wait_s),
                json=given(folder=folder, urls=urls, prefix=prefix),
                may_repeat=True,
            )
        )

    def get_results_page(
        self, job_id: str, *, cursor: str | None = None, limit: int | None = None
    ) -> models.ResultPage:
        """Return one page of results, as far as they stand."""
        query = in_query(cursor=cursor, limit=limit)
        return self._json(
            Request("GET", f"/v1/jobs/{in_path(job_id)}/results", query, may_repeat=True), models.ResultPage
        )

    def get_results(self, job_id: str, media_type: str = "text/csv") -> Iterator[bytes]:
        """Yield the results that are settled as a file of this media type, part by part."""
        return self._parts(
            Request(
                "GET",
                f"/v1/jobs/{in_path(job_id)}/results",
                headers={"Accept": media_type},
                may_repeat=True,
            )
        )

    def watch_job(self, job_id: str) -> Iterator[Job]:
        """Yield the job each time it has come further, at last when it has ended."""
        seen: dict[str, str] = {}
        while True:
            request = Request("GET", f"/v1/jobs/{in_path(job_id)}/events", headers=seen, may_repeat=True)
            with self.streaming(request) as response:
                for line in response.iter_lines():
                    name, _, value = line.partition(": ")
                    if name == "id":
                        seen = {"Last-Event-ID": value}
                    elif name == "data":
                        job = self.job_of(json.loads(value))
                        yield job
                        if job.has_ended:
                            return
            if response.status_code == 204:  # it has ended, and that had been seen
                return

    def embed(self, model: str, pictures: Pictures = (), *, texts: Sequence[str] = ()) -> list[list[float]]:
        """Return the vectors of pictures, then those of texts, by an encoder or a collection's."""
        inputs: list[Any] = [{"image": {"base64": text}} for text in base64_of(pictures)]
        made = self.make_embeddings([*inputs, *texts], model)
        return [vector for one in made.data if isinstance(vector := one.embedding, list)]

    def ensure_collection(self, name: str, **options: Any) -> None:
        """Make a collection unless it is there."""
        try:
            self.make_collection(name, **options)
        except ServiceError as error:
            if error.code != "collection_exists":
                raise

    def _submit(
        self,
        collection: str,
        call: str,
        pictures: Pictures,
        query: Mapping[str, Any],
        headers: Mapping[str, str],
        *,
        form: Form | None = None,
    ) -> Job:
        return self._job(
            Request(
                "POST",
                f"/v1/collections/{in_path(collection)}/{call}",
                query,
                headers,
                files=picture_files(pictures),
                form=form,
                may_repeat=True,
            )
        )
