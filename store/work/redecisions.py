"""Redecisions: new answers for the items of an earlier job, written when their chunk is settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from core.errors import ExemplarError
from core.jobs import Chunk, JobState
from core.results import Result, failed_result, has_several, is_answer, label_text
from store import tables as t
from store.record.enrolment import Enrolment
from store.work.locks import lock_jobs
from store.work.rows import replace_results
from store.work.targets import settled_chunks
from store.work.versions import keep_past, version_to_write

CHANGED, UNCHANGED, REVIEWED, WITHOUT_VECTOR = "changed", "unchanged", "reviewed", "without_vector"
"""What became of an answer: the last two are left alone."""


def redecide(connection: Connection, chunk: Chunk, outcomes: Sequence[Result | Enrolment]) -> list[Result]:
    """Write new answers into the results of the job that a chunk is about, as a new version.

    Each outcome has the `answer` for an item, or None without a vector. Reviewed items keep their answers,
    and a dry run writes nothing. Returns for each item what became of its answer.
    """
    made = {one["item"]: one for one in outcomes if not isinstance(one, Enrolment)}
    states = lock_jobs(connection, {chunk.target, chunk.job_id})
    error = _refusal(connection, chunk, states)
    if error is not None:
        return [failed_result(item, error) for item in chunk.items]
    first, end = chunk.items[0].index, chunk.items[-1].index + 1
    settled = settled_chunks(connection, chunk.target, first, end)
    current = {result["item"]: result for _, results in settled for result in results}
    reviewed = _reviewed(connection, chunk.target, first, end)
    compared = {
        item: _compared(one, current.get(item), reviewed=item in reviewed) for item, one in made.items()
    }
    new = {
        item: {**_identity(current[item]), **made[item]["answer"]}
        for item, one in compared.items()
        if one.get("outcome") in (CHANGED, UNCHANGED)
    }
    if new and not chunk.options["dry_run"]:
        version = version_to_write(connection, chunk)
        if version is None:
            return [failed_result(item, _outdated()) for item in chunk.items]
        _replace(connection, settled, new)
        keep_past(connection, chunk, version, [current[item] for item in new], list(new.values()))
    return list(compared.values())


def _refusal(connection: Connection, chunk: Chunk, states: Mapping[str, JobState]) -> ExemplarError | None:
    if chunk.target not in states:
        return ExemplarError("job_not_found", f"the job {chunk.target!r} was deleted meanwhile")
    if states[chunk.job_id] is JobState.CANCELLED:
        return ExemplarError("redecide_outdated", "this job was cancelled before these answers were written")
    return None


def _outdated() -> ExemplarError:
    return ExemplarError("redecide_outdated", "a later job has decided these answers again")


def _reviewed(connection: Connection, job_id: str, first: int, end: int) -> set[int]:
    review = t.review.c
    found = select(review.item).where(review.job_id == job_id, review.item.between(first, end - 1))
    return set(connection.execute(found).scalars())


def _compared(made: Result, before: Result | None, *, reviewed: bool) -> Result:
    """Return what became of an answer; a result that failed stays."""
    if made["status"] == "failed":
        return made
    answer = made["answer"]
    if "against" in made and before is not None:  # two versions are compared
        before, reviewed = {**before, **(made["against"] or {})}, False
    common = {"item": made["item"], "custom_id": None, "status": "done"}
    if before is None or not is_answer(before):
        return {**common, "outcome": WITHOUT_VECTOR}
    common = {**_identity(before), "before": _said(before)}
    if reviewed:
        return {**common, **_said(before), "outcome": REVIEWED}
    if answer is None:
        return {**common, **_said(before), "outcome": WITHOUT_VECTOR}
    is_same = label_text(answer) == label_text(before) and answer["decision"] == before["decision"]
    return {
        **common,
        **_said(answer),
        "index_version": answer["index_version"],
        "outcome": UNCHANGED if is_same else CHANGED,
    }


def _identity(result: Result) -> dict[str, Any]:
    return {name: result[name] for name in ("item", "custom_id", "status")}


def _said(answer: Result) -> dict[str, Any]:
    said = {name: answer[name] for name in ("decision", "confidence")}
    if not has_several(answer):
        return {**said, "label": answer["label"]}
    short = [{name: one[name] for name in ("label", "probability", "decision")} for one in answer["labels"]]
    return {**said, "labels": short}


def _replace(
    connection: Connection, chunks: Sequence[tuple[int, list[Result]]], new: Mapping[int, Result]
) -> None:
    """Replace results of locked chunks, and their counts."""
    changed = {
        chunk_id: [new.get(result["item"], result) for result in results]
        for chunk_id, results in chunks
        if any(result["item"] in new for result in results)
    }
    replace_results(connection, changed)
