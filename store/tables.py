"""The tables of the record."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    literal,
    text,
)

from core.collections import ChangeKind, ClassKind, Labels
from core.jobs import ChunkState, DeliveryState, ErasureState, JobKind, JobState, Lane, QuarantineState
from store.enum_text import EnumText

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# 64 bits on both databases; SQLite autoincrements only a column declared INTEGER
BigKey = BigInteger().with_variant(Integer, "sqlite")


def _partial(name: str, condition: str, *columns: Column[Any], unique: bool = False) -> None:
    """Add an index of the rows that meet a condition."""
    where = text(condition)
    Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _lease() -> tuple[Column[Any], ...]:
    return Column("lease_owner", Text, nullable=True), Column("lease_until", Float, nullable=True)


collection = Table(
    "collection",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("encoder", Text, nullable=False),
    Column("rule", JSON, nullable=False),
    Column("views", Text, nullable=False, server_default="1"),
    Column("prompts", JSON(none_as_null=True), nullable=True),
    Column("index_spec", JSON, nullable=False, server_default=text("""'{"name": "flat"}'""")),
    Column("index_measured", JSON(none_as_null=True), nullable=True),
    Column("version", BigInteger, nullable=False, default=0),
    Column("created_at", Float, nullable=False),
    Column("active_slot", Integer, nullable=False, server_default="0"),
    Column("embedded_at", Float, nullable=False, server_default="0"),
    Column("imported_by", Text, nullable=True),  # the job that fills it, until that has ended
    Column("labels", EnumText(Labels), nullable=False, server_default=Labels.ONE.value),
    Column("quality", JSON(none_as_null=True), nullable=True),  # null: the defaults
    Column("oldest_version", BigInteger, nullable=False, server_default="0"),  # that can be answered as of
    # snapshots of earlier versions may hold vectors of supports that were erased
    Column("erased_version", BigInteger, nullable=False, server_default="0"),
    sqlite_autoincrement=True,  # ids are never reused
)

# Who made each version of a collection, when and how: one row for each rise of `collection.version`, written
# in its transaction. `rule_before` is the rule that it replaced.
change = Table(
    "change",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("collection_id", ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("from_version", BigInteger, nullable=False),  # exclusive
    Column("version", BigInteger, nullable=False),  # inclusive
    Column("at", Float, nullable=False),
    Column("actor", Text, nullable=True),  # the id of a key
    Column("actor_name", Text, nullable=False),
    Column("request_id", Text, nullable=True),
    Column("job_id", Text, nullable=True),  # jobs expire earlier than this row
    Column("kind", EnumText(ChangeKind), nullable=False),
    Column("details", JSON, nullable=False),
    Column("rule_before", JSON(none_as_null=True), nullable=True),
    sqlite_autoincrement=True,  # ids are never reused
)
Index("uq_change_version", change.c.collection_id, change.c.version, unique=True)

# A deleted class stays as a tombstone, so that work accepted before the deletion does not recreate it.
class_ = Table(
    "class",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("collection_id", ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("label", Text, nullable=False),
    Column("kind", EnumText(ClassKind), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("merged_into", BigInteger, nullable=True),
    Column("created_at", Float, nullable=False),
    Column("complete", Boolean, nullable=False, server_default=false()),  # of a label set
    sqlite_autoincrement=True,  # ids are never reused
)
Index("ix_class_collection_seq", class_.c.collection_id, class_.c.seq)
_partial("uq_class_label", "NOT deleted", class_.c.collection_id, class_.c.label, unique=True)

# What a class was before a change: from version `since` on, up to but without version `until`.
class_past = Table(
    "class_past",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("collection_id", ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("class_id", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("label", Text, nullable=False),
    Column("kind", EnumText(ClassKind), nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("members", JSON, nullable=False),  # of a label set: the ids of its labels
)
Index("ix_class_past_until", class_past.c.collection_id, class_past.c.until)

# The labels in the label sets of collections with several labels a picture; both are rows of `class`.
class_member = Table(
    "class_member",
    metadata,
    Column("set_id", ForeignKey("class.id", ondelete="CASCADE"), primary_key=True),
    Column("label_id", ForeignKey("class.id", ondelete="CASCADE"), primary_key=True),
)
Index("ix_class_member_label", class_member.c.label_id)

# A deleted support stays as a tombstone (no class) whose seq tells the replicas. It keeps its vectors and
# picture as long as a version that has it can be answered as of.
# The collection's active slot says which vector belongs to the active encoder: 0 `vector`, 1 `vector_b`.
support = Table(
    "support",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("collection_id", ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("class_id", ForeignKey("class.id"), nullable=True),
    Column("seq", BigInteger, nullable=False),
    Column("vector", LargeBinary, nullable=True),
    Column("vector_b", LargeBinary, nullable=True),
    Column("picture", Text, nullable=False),
    Column("thumbnail", Text, nullable=False),
    Column("external_id", Text, nullable=True),
    Column("metadata", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    sqlite_autoincrement=True,  # ids are never reused
)
Index("uq_support_seq", support.c.collection_id, support.c.seq, unique=True)
Index("ix_support_class", support.c.class_id, support.c.id)
Index("ix_support_collection", support.c.collection_id, support.c.id)
Index("ix_support_picture", support.c.collection_id, support.c.picture)

# The class of a support before a change: from version `since` on, up to but without version `until`.
support_past = Table(
    "support_past",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("collection_id", ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("support_id", BigInteger, nullable=False),
    Column("class_id", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("answered", Boolean, nullable=False),  # whether it had a vector of the encoder
)
Index("ix_support_past_until", support_past.c.collection_id, support_past.c.until)
Index("ix_support_past_support", support_past.c.support_id)

# A reindex: the other encoder, whose vectors are in the inactive slot. Supports whose seq is
# after `position` are still to be queued. Jobs expire earlier than this row, so its job may be gone.
reindex = Table(
    "reindex",
    metadata,
    Column("collection_id", ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True),
    Column("encoder", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("switched", Boolean, nullable=False),
)

# Tokens of snapshots that workers have written of this record's history.
snapshot_mark = Table(
    "snapshot_mark",
    metadata,
    Column("collection_id", ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True),
    Column("token", Text, primary_key=True),
    Column("created_at", Float, nullable=False),
)

job = Table(
    "job",
    metadata,
    Column("id", Text, primary_key=True),
    Column("collection_id", ForeignKey("collection.id", ondelete="SET NULL"), nullable=True),
    Column("collection_name", Text, nullable=False),
    Column("kind", EnumText(JobKind), nullable=False),
    Column("lane", EnumText(Lane), nullable=False),
    Column("state", EnumText(JobState), nullable=False),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
    Column("top", Integer, nullable=False),
    Column("min_version", BigInteger, nullable=False),
    Column("submitted_version", BigInteger, nullable=False),
    Column("expanding", Boolean, nullable=False, server_default=false()),
    Column("webhook", Text, nullable=True),
    Column("announced", Boolean, nullable=False, server_default=false()),
    Column("smooth", Boolean, nullable=False, server_default=false()),
    Column("note", Text, nullable=True),
    Column("origin", JSON(none_as_null=True), nullable=True),
    Column("review_calls", Integer, nullable=False, server_default="0"),  # which gave reviews of its items
    Column("target", Text, nullable=True),
    Column("options", JSON(none_as_null=True), nullable=True),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float, nullable=True),
    Column("finished_at", Float, nullable=True),
)
Index("ix_job_collection", job.c.collection_id)
Index("ix_job_finished", job.c.finished_at)
_partial("ix_job_target", "target IS NOT NULL", job.c.target)
_partial("ix_job_paused", f"state = '{JobState.PAUSED}'", job.c.total, job.c.done, job.c.failed)
_partial("ix_job_unannounced", "webhook IS NOT NULL AND NOT announced", job.c.finished_at)

chunk = Table(
    "chunk",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("job_id", ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("encoder", Text, nullable=False),
    Column("lane", EnumText(Lane), nullable=False),
    Column("state", EnumText(ChunkState), nullable=False),
    Column("first_item", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    *_lease(),
    Column("queued_at", Float, nullable=False),
    Column("reason", Text, nullable=True),
    Column("unfetched", Boolean, nullable=False, server_default=false()),
    Column("inputs", JSON, nullable=False),
    Column("results", JSON(none_as_null=True), nullable=True),
    sqlite_autoincrement=True,  # ids are never reused
)
Index("ix_chunk_job", chunk.c.job_id, chunk.c.first_item)
_partial(
    "ix_chunk_waiting",
    f"state = '{ChunkState.QUEUED}'",
    chunk.c.encoder,
    chunk.c.lane,
    chunk.c.queued_at,
    chunk.c.id,
)
_partial("ix_chunk_leased", f"state = '{ChunkState.RUNNING}'", chunk.c.lease_until)

# SQLite uses a partial index only if the query repeats the index's condition literally, not as a parameter;
# and to sort by id it scans all rows by id, unless the sort key is an expression.
IS_QUEUED = chunk.c.state == literal(ChunkState.QUEUED.value, literal_execute=True)
IS_RUNNING = chunk.c.state == literal(ChunkState.RUNNING.value, literal_execute=True)
IS_PAUSED = job.c.state == literal(JobState.PAUSED.value, literal_execute=True)
BY_ID = chunk.c.id + literal(0, literal_execute=True)

# Chunks whose pictures must be fetched first; they do not wait for an encoder.
Index(
    "ix_chunk_unfetched",
    chunk.c.lane,
    chunk.c.queued_at,
    chunk.c.id,
    sqlite_where=text("unfetched = 1"),
    postgresql_where=text("unfetched"),
)

# How many results of a settled chunk have which label, decision and error; small next to the results.
# `kept` names the blob with the smoothing inputs.
tally = Table(
    "tally",
    metadata,
    Column("chunk_id", ForeignKey("chunk.id", ondelete="CASCADE"), primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("kept", Text, nullable=True),
)
Index("ix_tally_job", tally.c.job_id)

# The vectors that the items of a settled chunk were answered with: (size, d) float16, zeros where an item has
# none. A retry may replace the chunk, and keeps this row; of two rows for an item the later one counts.
item_vectors = Table(
    "item_vectors",
    metadata,
    Column("chunk_id", BigKey, primary_key=True, autoincrement=False),
    Column("job_id", ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("first_item", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("encoder", Text, nullable=False),
    Column("vectors", LargeBinary, nullable=False),
    Column("crops", LargeBinary, nullable=True),  # (size, c d), of views that look at crops
)
Index("ix_item_vectors_job", item_vectors.c.job_id, item_vectors.c.first_item)

# The versions of a job's answers after the first; each belongs to one redecide job.
answer_version = Table(
    "answer_version",
    metadata,
    Column("job_id", ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("redecide_id", Text, nullable=False),
    Column("index_version", BigInteger, nullable=False),
    Column("decided_at", Float, nullable=False),
)

# Results that a version replaced, as compressed JSON, in parts of a chunk of its redecide job. `counts` is
# what must be added to the tally to count them instead of those that replaced them.
past_results = Table(
    "past_results",
    metadata,
    Column("chunk_id", BigKey, primary_key=True, autoincrement=False),
    Column("job_id", ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("first_item", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("results", LargeBinary, nullable=False),
)
Index("ix_past_results_job", past_results.c.job_id, past_results.c.first_item)

# What is counted of answers as they are settled, a row for each chunk; a sweep adds it to `live_answers`.
settled_answers = Table(
    "settled_answers",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("collection_id", ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("hour", BigInteger, nullable=False),  # since 1970
    Column("caller", Text, nullable=False),  # the id of a key, or `local`
    Column("counts", JSON, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_settled_answers_collection_id", settled_answers.c.collection_id)

live_answers = Table(
    "live_answers",
    metadata,
    Column("collection_id", ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("caller", Text, primary_key=True),
    Column("counts", JSON, nullable=False),
)

# What a person says about the answer for an item; `answered` is the label that it was given.
review = Table(
    "review",
    metadata,
    Column("job_id", ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("item", Integer, primary_key=True),
    Column("answered", Text, nullable=True),
    Column("label", Text, nullable=True),
    Column("accepted", Boolean, nullable=False),
    Column("reviewer", Text, nullable=False),
    Column("reviewed_at", Float, nullable=False),
    # the number of the call that reviewed the item first, as `review_calls` counts them
    Column("call", Integer, nullable=False, server_default="0"),
    # of a review that enrols its picture: the job that does, and the support with its class afterwards
    Column("enroll", Boolean, nullable=False, server_default=false()),
    Column("enroll_job", Text, nullable=True),
    Column("support_id", BigInteger, nullable=True),
    Column("class_id", BigInteger, nullable=True),
    Column("before", JSON(none_as_null=True), nullable=True),  # ids of classes that had the picture
    Column("confidence", Float, nullable=True),  # of the labels that it was given
    Column("automatic", Boolean, nullable=True),  # whether the answer needed no person; null without a budget
)
Index("ix_review_support", review.c.support_id)

# A webhook delivery: its body stays the same however often it is sent.
delivery = Table(
    "delivery",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job_id", ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("url", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", EnumText(DeliveryState), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Float, nullable=False),
    *_lease(),
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float, nullable=True),
)
Index("ix_delivery_job", delivery.c.job_id)
_partial("ix_delivery_due", f"state = '{DeliveryState.WAITING}'", delivery.c.due_at)

delivery_attempt = Table(
    "delivery_attempt",
    metadata,
    Column("delivery_id", ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("took_ms", Float, nullable=False),
    Column("status", Integer, nullable=True),
    Column("error", Text, nullable=True),
)

# What a bulk job's items are read from; the row is deleted once all of them are in chunks.
source = Table(
    "source",
    metadata,
    Column("job_id", ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("encoder", Text, nullable=False),
    Column("asked", JSON, nullable=False),
    Column("position", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    *_lease(),
    Column("reason", Text, nullable=True),
)

# A job to be smoothed; the row is deleted when that is done, and the job ends with it.
smoothing = Table(
    "smoothing",
    metadata,
    Column("job_id", ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("attempts", Integer, nullable=False),
    *_lease(),
    Column("reason", Text, nullable=True),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("job_id", ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Float, nullable=False),
)
Index("ix_idempotency_job", idempotency.c.job_id)

# `moved_at` is when it last took or settled work; `metrics` are in Prometheus' text format.
worker = Table(
    "worker",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("encoders", JSON, nullable=False),
    Column("lanes", JSON(none_as_null=True), nullable=True),
    Column("device", Text, nullable=False),
    Column("beat_at", Float, nullable=False),
    Column("moved_at", Float, nullable=True),
    Column("metrics", Text, nullable=True),
)

# An encoder's vector of a label; a hundred labels take a second, so it is stored. `prompts` is a digest.
text_vector = Table(
    "text_vector",
    metadata,
    Column("encoder", Text, primary_key=True),
    Column("prompts", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

# An encoder's vector of a reference picture, which tells its weights from others'. The identity gives the
# feature treatment, runtime and number format of the worker that opened the encoder last.
probe = Table(
    "probe",
    metadata,
    Column("encoder", Text, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
    Column("identity", Text, nullable=False, server_default=""),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("collections", JSON(none_as_null=True), nullable=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=True),
    Column("revoked_at", Float, nullable=True),
)

# A picture that a key with the scope `contribute` enrolled: no support, until it is accepted.
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("collection_id", ForeignKey("collection.id", ondelete="CASCADE"), nullable=False),
    Column("state", EnumText(QuarantineState), nullable=False),
    Column("label", Text, nullable=False),  # several as one text
    Column("complete", Boolean, nullable=False),
    Column("encoder", Text, nullable=False),
    Column("vector", LargeBinary, nullable=True),
    Column("picture", Text, nullable=False),
    Column("thumbnail", Text, nullable=False),
    Column("external_id", Text, nullable=True),
    Column("metadata", JSON, nullable=False),
    Column("findings", JSON(none_as_null=True), nullable=True),
    Column("key_id", Text, nullable=False),
    Column("key_name", Text, nullable=False),
    Column("request_id", Text, nullable=True),
    Column("created_at", Float, nullable=False),
    Column("decided_at", Float, nullable=True),
    Column("decided_by", Text, nullable=True),
    Column("support_id", BigInteger, nullable=True),
    sqlite_autoincrement=True,  # ids are never reused
)
Index("ix_quarantine_state", quarantine.c.collection_id, quarantine.c.state, quarantine.c.id)
Index("ix_quarantine_picture", quarantine.c.picture)

# A receipt of an erasure, and until it is done what is to be erased. Of whom it was is then nowhere any more.
# `collections` are the names that it was about, null for all; `position` is how far its phase has come.
erasure = Table(
    "erasure",
    metadata,
    Column("id", Text, primary_key=True),
    Column("collections", JSON(none_as_null=True), nullable=True),
    Column("key_id", Text, nullable=False),
    Column("request_id", Text, nullable=True),
    Column("kind", Text, nullable=False),
    Column("state", EnumText(ErasureState), nullable=False),
    Column("at", Float, nullable=False),
    Column("finished_at", Float, nullable=True),
    Column("counts", JSON, nullable=False),
    Column("elsewhere", JSON, nullable=False),  # digests of pictures that others hold
    Column("unread", JSON, nullable=False),  # jobs whose uploads may hold more
    Column("wanted", JSON(none_as_null=True), nullable=True),
    Column("phase", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    *_lease(),
)
_partial("ix_erasure_running", f"state = '{ErasureState.RUNNING}'", erasure.c.id)

# What an erasure that runs has found: supports, digests, items, and the files that are to go.
erased = Table(
    "erased",
    metadata,
    Column("erasure_id", ForeignKey("erasure.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
)

# What was done, by whom and when: changes of versions, and what changes none. Rows are only ever added, and
# outlive what they are about, so that nothing here refers to another table.
audit = Table(
    "audit",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("at", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("collection", Text, nullable=True),  # its name at that time
    Column("from_version", BigInteger, nullable=True),
    Column("version", BigInteger, nullable=True),
    Column("actor", Text, nullable=True),  # the id of a key
    Column("actor_name", Text, nullable=False),
    Column("request_id", Text, nullable=True),
    Column("job_id", Text, nullable=True),
    Column("details", JSON, nullable=False),
    sqlite_autoincrement=True,  # ids are never reused
)
Index("ix_audit_collection", audit.c.collection, audit.c.id)
Index("ix_audit_at", audit.c.at)

# Names of versions, unique in a collection.
version_name = Table(
    "version_name",
    metadata,
    Column("collection_id", ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
)
Index("uq_version_name_version", version_name.c.collection_id, version_name.c.version, unique=True)
