"""The calls of the API that need nothing written by hand."""

# Generated; `make generate` writes it.

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from exemplar_client import models
from exemplar_client.job import Job
from exemplar_client.requests import (
    Content,
    Request,
    given,
    in_path,
    in_query,
    media_type_of,
    parts_of,
    submitting,
)
from exemplar_client.transport import Transport


class Calls(Transport):
    """Methods named as the operations of the document."""

    def healthz(self) -> models.Health:
        """Report that the process is alive."""
        return self._json(Request("GET", "/healthz", may_repeat=True), models.Health)

    def metrics(self) -> bytes:
        """Return the service's metrics in Prometheus' text format."""
        return self._bytes(Request("GET", "/metrics", may_repeat=True))

    def readyz(self) -> models.Health:
        """Report whether record, disk, blobs, queue and workers are ready; 503 if not."""
        return self._json(Request("GET", "/readyz", may_repeat=True), models.Health)

    def get_audit(
        self,
        *,
        limit: int | None = None,
        collection: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[models.AuditEntry]:
        """Show who changed what and when, oldest first, as pages of JSON or all of it as NDJSON."""
        return self._pages(
            Request(
                "GET",
                "/v1/audit",
                in_query(limit=limit, collection=collection, since=since, until=until),
                may_repeat=True,
            ),
            models.AuditEntry,
        )

    def list_collections(self, *, limit: int | None = None) -> Iterator[models.Collection]:
        """List collections in order of creation."""
        return self._pages(
            Request("GET", "/v1/collections", in_query(limit=limit), may_repeat=True), models.Collection
        )

    def make_collection(
        self,
        name: str,
        *,
        encoder: str | None = None,
        index: models.Index | Mapping[str, Any] | None = None,
        labels: models.Labels | None = None,
        prompts: str | Sequence[str] | None = None,
        quality: models.QualityChange | Mapping[str, Any] | None = None,
        rule: models.Rule | Mapping[str, Any] | None = None,
        views: models.Views | None = None,
    ) -> models.Collection:
        """Create a collection."""
        return self._json(
            Request(
                "POST",
                "/v1/collections",
                json=given(
                    encoder=encoder,
                    index=index,
                    labels=labels,
                    name=name,
                    prompts=prompts,
                    quality=quality,
                    rule=rule,
                    views=views,
                ),
            ),
            models.Collection,
        )

    def delete_collection(self, collection: str) -> None:
        """Delete a collection with its classes and supports."""
        return self._none(Request("DELETE", f"/v1/collections/{in_path(collection)}"))

    def get_collection(self, collection: str) -> models.Collection:
        """Show one collection with its counts."""
        return self._json(
            Request("GET", f"/v1/collections/{in_path(collection)}", may_repeat=True), models.Collection
        )

    def change_collection(
        self,
        collection: str,
        *,
        index: models.Index | Mapping[str, Any] | None = None,
        name: str | None = None,
        quality: models.QualityChange | Mapping[str, Any] | None = None,
        rule: models.RuleChange | Mapping[str, Any] | None = None,
    ) -> models.Collection:
        """Change the name, rule, index or quality settings of a collection; omitted fields stay unchanged."""
        return self._json(
            Request(
                "PATCH",
                f"/v1/collections/{in_path(collection)}",
                json=given(index=index, name=name, quality=quality, rule=rule),
            ),
            models.Collection,
        )

    def list_classes(self, collection: str, *, limit: int | None = None) -> Iterator[models.Class]:
        """List the classes of a collection with their counts."""
        return self._pages(
            Request(
                "GET",
                f"/v1/collections/{in_path(collection)}/classes",
                in_query(limit=limit),
                may_repeat=True,
            ),
            models.Class,
        )

    def make_class(
        self, collection: str, label: str, *, kind: Literal["normal", "negative"] | str | None = None
    ) -> models.Class:
        """Create a class from its name; if the collection has prompts, it answers immediately."""
        return self._json(
            Request(
                "POST", f"/v1/collections/{in_path(collection)}/classes", json=given(kind=kind, label=label)
            ),
            models.Class,
        )

    def delete_class(self, collection: str, label: str) -> None:
        """Delete a class with its supports."""
        return self._none(
            Request("DELETE", f"/v1/collections/{in_path(collection)}/classes/{in_path(label)}")
        )

    def get_class(self, collection: str, label: str) -> models.Class:
        """Show one class."""
        return self._json(
            Request(
                "GET", f"/v1/collections/{in_path(collection)}/classes/{in_path(label)}", may_repeat=True
            ),
            models.Class,
        )

    def change_class(
        self,
        collection: str,
        label: str,
        *,
        kind: Literal["normal", "negative"] | str | None = None,
        new_label: str | None = None,
    ) -> models.Class:
        """Rename a class, or change its kind."""
        return self._json(
            Request(
                "PATCH",
                f"/v1/collections/{in_path(collection)}/classes/{in_path(label)}",
                json=given(kind=kind, label=new_label),
            ),
            models.Class,
        )

    def merge_classes(self, collection: str, label: str, from_: Sequence[str]) -> models.Class:
        """Merge other classes into this one."""
        return self._json(
            Request(
                "POST",
                f"/v1/collections/{in_path(collection)}/classes/{in_path(label)}/merge",
                json=given(from_=from_),
            ),
            models.Class,
        )

    def get_drift(
        self,
        collection: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        step: models.Step | None = None,
        caller: str | None = None,
    ) -> models.Drift:
        """Show how the answers of a collection change over time, without knowing which are right."""
        return self._json(
            Request(
                "GET",
                f"/v1/collections/{in_path(collection)}/drift",
                in_query(since=since, until=until, step=step, caller=caller),
                may_repeat=True,
            ),
            models.Drift,
        )

    def erase(
        self,
        collection: str,
        *,
        dry_run: bool | None = None,
        external_id: str | None = None,
        label: str | None = None,
        support_ids: Sequence[int] | None = None,
    ) -> models.Erasure:
        """Erase supports, with their pictures and everything that was made from them, for good."""
        return self._json(
            Request(
                "POST",
                f"/v1/collections/{in_path(collection)}/erase",
                json=given(dry_run=dry_run, external_id=external_id, label=label, support_ids=support_ids),
            ),
            models.Erasure,
        )

    def export_collection(self, collection: str, *, pictures: bool | None = None) -> Iterator[bytes]:
        """Export a collection as one file that NumPy and json can read."""
        return self._parts(
            Request(
                "GET",
                f"/v1/collections/{in_path(collection)}/export",
                in_query(pictures=pictures),
                may_repeat=True,
            )
        )

    def list_contributions(
        self,
        collection: str,
        *,
        key: str | None = None,
        label: str | None = None,
        limit: int | None = None,
        state: models.QuarantineState | Literal["all"] | str | None = None,
    ) -> Iterator[models.Contributed]:
        """List contributed pictures; a key that may only contribute sees its own."""
        return self._pages(
            Request(
                "GET",
                f"/v1/collections/{in_path(collection)}/quarantine",
                in_query(key=key, label=label, limit=limit, state=state),
                may_repeat=True,
            ),
            models.Contributed,
        )

    def accept_contributions(
        self,
        collection: str,
        *,
        ids: Sequence[int] | None = None,
        key: str | None = None,
        label: str | None = None,
    ) -> models.Decided:
        """Make contributed pictures supports, all as one change."""
        return self._json(
            Request(
                "POST",
                f"/v1/collections/{in_path(collection)}/quarantine/accept",
                json=given(ids=ids, key=key, label=label),
            ),
            models.Decided,
        )

    def get_effect(
        self, collection: str, *, key: str | None = None, label: str | None = None
    ) -> models.Effect:
        """Report how accuracy on the collection's own supports would change with what was contributed."""
        return models.Effect.model_validate_json(
            self._made(
                Request(
                    "GET",
                    f"/v1/collections/{in_path(collection)}/quarantine/effect",
                    in_query(key=key, label=label),
                    may_repeat=True,
                )
            )
        )

    def refuse_contributions(
        self,
        collection: str,
        *,
        ids: Sequence[int] | None = None,
        key: str | None = None,
        label: str | None = None,
    ) -> models.Decided:
        """Refuse contributed pictures, which deletes them."""
        return self._json(
            Request(
                "POST",
                f"/v1/collections/{in_path(collection)}/quarantine/refuse",
                json=given(ids=ids, key=key, label=label),
            ),
            models.Decided,
        )

    def get_contribution_thumbnail(
        self, collection: str, contribution_id: int, *, side: int | None = None
    ) -> bytes:
        """Show a contributed picture as a newly encoded thumbnail."""
        return self._bytes(
            Request(
                "GET",
                f"/v1/collections/{in_path(collection)}/quarantine/{in_path(contribution_id)}/thumbnail",
                in_query(side=side),
                may_repeat=True,
            )
        )

    def forget_encoder(self, collection: str) -> None:
        """Delete the vectors of the inactive encoder."""
        return self._none(Request("DELETE", f"/v1/collections/{in_path(collection)}/reindex"))

    def get_reindex(self, collection: str) -> models.Reindex:
        """Show the progress of a reindex, and the supports without a secondary vector."""
        return self._json(
            Request("GET", f"/v1/collections/{in_path(collection)}/reindex", may_repeat=True), models.Reindex
        )

    def start_reindex(self, collection: str, encoder: str) -> Job:
        """Embed the stored pictures with another encoder, while the active one answers."""
        return self._job(
            Request("POST", f"/v1/collections/{in_path(collection)}/reindex", json=given(encoder=encoder))
        )

    def switch_back(self, collection: str, *, leave_out: bool | None = None) -> models.Reindex:
        """Make the collection answer with the encoder it had before the switch."""
        return self._json(
            Request(
                "POST", f"/v1/collections/{in_path(collection)}/reindex/back", json=given(leave_out=leave_out)
            ),
            models.Reindex,
        )

    def compare_encoders(self, collection: str) -> models.Comparison:
        """Compare the reports of both encoders, with the answers that would change."""
        return models.Comparison.model_validate_json(
            self._made(
                Request("GET", f"/v1/collections/{in_path(collection)}/reindex/comparison", may_repeat=True)
            )
        )

    def compare_label_encoders(self, collection: str) -> models.LabelComparison:
        """Compare the reports of both encoders of a collection of several labels a picture."""
        return models.LabelComparison.model_validate_json(
            self._made(
                Request(
                    "GET", f"/v1/collections/{in_path(collection)}/reindex/comparison/labels", may_repeat=True
                )
            )
        )

    def switch_encoder(self, collection: str, *, leave_out: bool | None = None) -> models.Reindex:
        """Make the collection answer with the other encoder."""
        return self._json(
            Request(
                "POST",
                f"/v1/collections/{in_path(collection)}/reindex/switch",
                json=given(leave_out=leave_out),
            ),
            models.Reindex,
        )

    def get_report(self, collection: str, *, version: int | str | None = None) -> models.CollectionReport:
        """Report a collection's accuracy, confusions and label errors, and which pictures to add."""
        return models.CollectionReport.model_validate_json(
            self._made(
                Request(
                    "GET",
                    f"/v1/collections/{in_path(collection)}/report",
                    in_query(version=version),
                    may_repeat=True,
                )
            )
        )

    def get_confusion(self, collection: str, *, version: int | str | None = None) -> bytes:
        """Draw the report's confusion matrix."""
        return self._made(
            Request(
                "GET",
                f"/v1/collections/{in_path(collection)}/report/confusion.svg",
                in_query(version=version),
                may_repeat=True,
            )
        )

    def get_label_report(self, collection: str, *, version: int | str | None = None) -> models.LabelReport:
        """Report how well a collection of several labels a picture knows each label, and what looks wrong."""
        return models.LabelReport.model_validate_json(
            self._made(
                Request(
                    "GET",
                    f"/v1/collections/{in_path(collection)}/report/labels",
                    in_query(version=version),
                    may_repeat=True,
                )
            )
        )

    def list_supports(
        self, collection: str, *, limit: int | None = None, label: str | None = None, where: str | None = None
    ) -> Iterator[models.Support]:
        """List supports in order of enrolment: those that bear a label and match a filter, or all."""
        return self._pages(
            Request(
                "GET",
                f"/v1/collections/{in_path(collection)}/supports",
                in_query(limit=limit, label=label, where=where),
                may_repeat=True,
            ),
            models.Support,
        )

    def delete_support(self, collection: str, support_id: int) -> None:
        """Delete a support."""
        return self._none(
            Request("DELETE", f"/v1/collections/{in_path(collection)}/supports/{in_path(support_id)}")
        )

    def get_support(self, collection: str, support_id: int) -> models.Support:
        """Show one support."""
        return self._json(
            Request(
                "GET",
                f"/v1/collections/{in_path(collection)}/supports/{in_path(support_id)}",
                may_repeat=True,
            ),
            models.Support,
        )

    def move_support(
        self,
        collection: str,
        support_id: int,
        label: str | None = None,
        *,
        add: Sequence[str] | None = None,
        complete: bool | None = None,
        external_id: str | None = None,
        labels: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        remove: Sequence[str] | None = None,
    ) -> models.Support:
        """Move a support to another class, change its labels, its external id or its metadata."""
        return self._json(
            Request(
                "PATCH",
                f"/v1/collections/{in_path(collection)}/supports/{in_path(support_id)}",
                json=given(
                    add=add,
                    complete=complete,
                    external_id=external_id,
                    label=label,
                    labels=labels,
                    metadata=metadata,
                    remove=remove,
                ),
            ),
            models.Support,
        )

    def get_thumbnail(self, collection: str, support_id: int, *, side: int | None = None) -> bytes:
        """Show a support's picture as a newly encoded thumbnail."""
        return self._bytes(
            Request(
                "GET",
                f"/v1/collections/{in_path(collection)}/supports/{in_path(support_id)}/thumbnail",
                in_query(side=side),
                may_repeat=True,
            )
        )

    def list_versions(self, collection: str, *, limit: int | None = None) -> Iterator[models.Change]:
        """List who changed a collection, when and how, newest first."""
        return self._pages(
            Request(
                "GET",
                f"/v1/collections/{in_path(collection)}/versions",
                in_query(limit=limit),
                may_repeat=True,
            ),
            models.Change,
        )

    def compare_versions(
        self,
        collection: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        from_: int | str | None = None,
        to: int | str | None = None,
        job: str | None = None,
    ) -> models.VersionDiff:
        """Compare two versions of a collection, and which answers of a job flip between them."""
        return models.VersionDiff.model_validate_json(
            self._made(
                Request(
                    "GET",
                    f"/v1/collections/{in_path(collection)}/versions/diff",
                    in_query(cursor=cursor, limit=limit, **{"from": from_}, to=to, job=job),
                    may_repeat=True,
                )
            )
        )

    def unname_version(self, collection: str, version: str) -> None:
        """Remove the name of a version, which stays."""
        return self._none(
            Request("DELETE", f"/v1/collections/{in_path(collection)}/versions/{in_path(version)}/name")
        )

    def name_version(self, collection: str, version: str, name: str) -> models.NamedVersion:
        """Name a version, which may then stand wherever a version is expected."""
        return self._json(
            Request(
                "PUT",
                f"/v1/collections/{in_path(collection)}/versions/{in_path(version)}/name",
                json=given(name=name),
            ),
            models.NamedVersion,
        )

    def restore_version(self, collection: str, version: str) -> models.Restored:
        """Make a collection what it was at a version, by one change that restoring undoes."""
        return self._json(
            Request("POST", f"/v1/collections/{in_path(collection)}/versions/{in_path(version)}/restore"),
            models.Restored,
        )

    def make_embeddings(
        self,
        input: str | models.Picture | Mapping[str, Any] | Sequence[str | models.Picture | Mapping[str, Any]],
        model: str,
        *,
        dimensions: int | None = None,
        encoding_format: Literal["float", "base64"] | str | None = None,
        user: str | None = None,
    ) -> models.EmbeddingList:
        """Return the vectors of pictures or texts, in the shape of OpenAI's call."""
        return self._json(
            Request(
                "POST",
                "/v1/embeddings",
                json=given(
                    dimensions=dimensions,
                    encoding_format=encoding_format,
                    input=input,
                    model=model,
                    user=user,
                ),
                may_repeat=True,
            ),
            models.EmbeddingList,
        )

    def erase_anywhere(self, external_id: str, *, dry_run: bool | None = None) -> models.Erasure:
        """Erase everything with an external id from all collections that the key may reach, for good."""
        return self._json(
            Request("POST", "/v1/erase", json=given(dry_run=dry_run, external_id=external_id)), models.Erasure
        )

    def list_erasures(self, *, limit: int | None = None) -> Iterator[models.Erasure]:
        """List the receipts of erasures, newest first."""
        return self._pages(
            Request("GET", "/v1/erasures", in_query(limit=limit), may_repeat=True), models.Erasure
        )

    def get_erasure(self, erasure_id: str) -> models.Erasure:
        """Show the receipt of an erasure."""
        return self._json(
            Request("GET", f"/v1/erasures/{in_path(erasure_id)}", may_repeat=True), models.Erasure
        )

    def import_collection(
        self,
        content: Content,
        *,
        name: str | None = None,
        encoder: str | None = None,
        wait_s: float = 0.0,
        key: str | None = None,
    ) -> Job:
        """Create a collection from an exported file."""
        return self._job(
            Request(
                "POST",
                "/v1/import",
                in_query(name=name, encoder=encoder),
                parts=parts_of(content),
                headers={**submitting(key, wait_s), "Content-Type": media_type_of(content)},
                may_repeat=True,
            )
        )

    def list_jobs(self, *, limit: int | None = None, target: str | None = None) -> Iterator[Job]:
        """List jobs, newest first."""
        return self._jobs(Request("GET", "/v1/jobs", in_query(limit=limit, target=target), may_repeat=True))

    def get_job(self, job_id: str) -> Job:
        """Show a job, its progress, and the versions of its answers."""
        return self._job(Request("GET", f"/v1/jobs/{in_path(job_id)}", may_repeat=True))

    def cancel_job(self, job_id: str) -> Job:
        """Cancel what no worker has started."""
        return self._job(Request("POST", f"/v1/jobs/{in_path(job_id)}/cancel"))

    def list_deliveries(self, job_id: str) -> models.DeliveryList:
        """Show the calls of a job's webhook with their outcomes."""
        return self._json(
            Request("GET", f"/v1/jobs/{in_path(job_id)}/deliveries", may_repeat=True), models.DeliveryList
        )

    def tell_effect(self, job_id: str, *, wait_s: float = 0.0, key: str | None = None) -> Job:
        """Tell how the answers about the supports would change if the pictures of a check were enrolled."""
        return self._job(
            Request(
                "POST",
                f"/v1/jobs/{in_path(job_id)}/effect",
                headers={**submitting(key, wait_s)},
                may_repeat=True,
            )
        )

    def group_items(
        self, job_id: str, *, max_groups: int | None = None, wait_s: float = 0.0, key: str | None = None
    ) -> Job:
        """Group the items of a job that have no label by their kept vectors."""
        return self._job(
            Request(
                "POST",
                f"/v1/jobs/{in_path(job_id)}/groups",
                json=given(max_groups=max_groups),
                headers={**submitting(key, wait_s)},
                may_repeat=True,
            )
        )

    def undo_review(self, job_id: str, item: int) -> None:
        """Undo the review of an item; its answer is as it was."""
        return self._none(Request("DELETE", f"/v1/jobs/{in_path(job_id)}/items/{in_path(item)}"))

    def review_item(
        self,
        job_id: str,
        item: int,
        *,
        accepted: Literal[True] | str | None = None,
        add: Sequence[str] | None = None,
        enroll: bool | None = None,
        label: str | None = None,
        labels: Sequence[str] | None = None,
        remove: Sequence[str] | None = None,
    ) -> models.Result:
        """Review the answer for an item."""
        return self._json(
            Request(
                "PATCH",
                f"/v1/jobs/{in_path(job_id)}/items/{in_path(item)}",
                json=given(
                    accepted=accepted, add=add, enroll=enroll, label=label, labels=labels, remove=remove
                ),
            ),
            models.Result,
        )

    def get_item_thumbnail(self, job_id: str, item: int, *, side: int | None = None) -> bytes:
        """Show the picture of an item that is done as a newly encoded thumbnail."""
        return self._bytes(
            Request(
                "GET",
                f"/v1/jobs/{in_path(job_id)}/items/{in_path(item)}/thumbnail",
                in_query(side=side),
                may_repeat=True,
            )
        )

    def pause_job(self, job_id: str) -> Job:
        """Pause a job; running chunks finish."""
        return self._job(Request("POST", f"/v1/jobs/{in_path(job_id)}/pause"))

    def redecide_job(
        self,
        job_id: str,
        *,
        dry_run: bool | None = None,
        version: int | str | None = None,
        wait_s: float = 0.0,
        key: str | None = None,
    ) -> Job:
        """Decide the answers of a job again from kept vectors, with its collection as it is now, or was."""
        return self._job(
            Request(
                "POST",
                f"/v1/jobs/{in_path(job_id)}/redecide",
                json=given(dry_run=dry_run, version=version),
                headers={**submitting(key, wait_s)},
                may_repeat=True,
            )
        )

    def resume_job(self, job_id: str) -> Job:
        """Resume a paused job."""
        return self._job(Request("POST", f"/v1/jobs/{in_path(job_id)}/resume"))

    def retry_job(self, job_id: str) -> Job:
        """Retry the failed items of a job."""
        return self._job(Request("POST", f"/v1/jobs/{in_path(job_id)}/retry"))

    def review_items(
        self,
        job_id: str,
        *,
        accepted: Literal[True] | str | None = None,
        add: Sequence[str] | None = None,
        enroll: bool | None = None,
        items: Sequence[int] | None = None,
        label: str | None = None,
        labels: Sequence[str] | None = None,
        remove: Sequence[str] | None = None,
        where: models.Selection | Mapping[str, Any] | None = None,
    ) -> models.ReviewedItems:
        """Review many answers at once."""
        return self._json(
            Request(
                "POST",
                f"/v1/jobs/{in_path(job_id)}/review",
                json=given(
                    accepted=accepted,
                    add=add,
                    enroll=enroll,
                    items=items,
                    label=label,
                    labels=labels,
                    remove=remove,
                    where=where,
                ),
            ),
            models.ReviewedItems,
        )

    def get_summary(self, job_id: str, *, version: int | None = None) -> models.JobSummary:
        """Count the results of a job by label, decision and error."""
        return self._json(
            Request("GET", f"/v1/jobs/{in_path(job_id)}/summary", in_query(version=version), may_repeat=True),
            models.JobSummary,
        )

    def undo_reviews(
        self,
        job_id: str,
        *,
        items: Sequence[int] | None = None,
        where: models.Selection | Mapping[str, Any] | None = None,
    ) -> models.Reviewed:
        """Undo the reviews of many items."""
        return self._json(
            Request("POST", f"/v1/jobs/{in_path(job_id)}/unreview", json=given(items=items, where=where)),
            models.Reviewed,
        )

    def list_keys(self) -> models.KeyList:
        """List API keys without their secrets, including revoked and expired ones."""
        return self._json(Request("GET", "/v1/keys", may_repeat=True), models.KeyList)

    def create_key(
        self,
        name: str,
        *,
        collections: Sequence[str] | None = None,
        days: float | None = None,
        scopes: Sequence[models.Scope] | None = None,
    ) -> models.CreatedKey:
        """Create an API key; it is shown only in this answer."""
        return self._json(
            Request(
                "POST", "/v1/keys", json=given(collections=collections, days=days, name=name, scopes=scopes)
            ),
            models.CreatedKey,
        )

    def revoke_key(self, key_id: str) -> None:
        """Revoke an API key at once; the one that makes the request stays."""
        return self._none(Request("DELETE", f"/v1/keys/{in_path(key_id)}"))

    def list_models(self) -> models.ModelList:
        """List the encoders on offer, in the shape of OpenAI's call."""
        return self._json(Request("GET", "/v1/models", may_repeat=True), models.ModelList)
