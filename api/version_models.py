"""The JSON of a collection's versions and of what differs between two, as pydantic models."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.as_model import as_model
from api.models import JobSummary
from api.pages import Page
from core.collections import ChangeKind, ClassKind
from store.record.differences import Difference
from store.record.history import Change


class ChangeModel(BaseModel):
    """Who made a version of a collection, when and how."""

    version: int
    from_version: int = Field(
        description="The version before it. Those between are none that answers were given with."
    )
    at: datetime
    kind: ChangeKind
    details: dict[str, Any] = Field(description="What changed, depending on the kind.")
    actor: str = Field(
        description="The name of the key; `local` where no keys are in use, `operator` for a command on the "
        "machine, `service` for what nobody asked for."
    )
    key: str | None = Field(description="The id of the key.")
    request_id: str | None
    job: str | None = Field(description="The job that made the change.")
    kept: bool = Field(description="Whether the collection can be answered as of this version.")
    name: str | None = Field(description="The name of the version, if it has one.")

    @classmethod
    def of(cls, change: Change, name: str | None) -> ChangeModel:
        return as_model(cls, change, key=change.key_id, job=change.job_id, name=name)


class ChangePage(Page[ChangeModel]):
    """A page of changes, newest first."""


class RenamedClass(BaseModel):
    """A class with another name."""

    model_config = ConfigDict(serialize_by_alias=True)
    before: str = Field(alias="from")
    after: str = Field(alias="to")


class ClassKindChange(BaseModel):
    """A class with another kind."""

    model_config = ConfigDict(serialize_by_alias=True)
    label: str
    before: ClassKind = Field(alias="from")
    after: ClassKind = Field(alias="to")


class ClassDifference(BaseModel):
    """How many supports of a label came, went, and moved to and from it."""

    label: str
    added: int
    removed: int
    moved_in: int
    moved_out: int


class SupportDifferenceModel(BaseModel):
    """A support with other labels; null where it was not there."""

    model_config = ConfigDict(serialize_by_alias=True)
    id: int
    before: list[str] | None = Field(alias="from")
    after: list[str] | None = Field(alias="to")


class VersionDiff(BaseModel):
    """What differs between two versions of a collection."""

    model_config = ConfigDict(serialize_by_alias=True)
    before: int = Field(alias="from")
    after: int = Field(alias="to")
    added: list[str] = Field(description="Classes that the later one has.")
    removed: list[str]
    renamed: list[RenamedClass]
    kinds: list[ClassKindChange]
    rule: dict[str, list[Any]] = Field(description="Fields of the rule, each with both values.")
    classes: list[ClassDifference] = Field(description="The supports that differ, counted by label.")
    total: int = Field(description="How many supports differ.")
    supports: list[SupportDifferenceModel] = Field(description="A page of them, by id.")
    next_cursor: str | None
    answers: JobSummary | None = Field(
        description="With `job`: which of its answers flip, as the summary of the job that decided them at "
        "both versions; that job's results are the answers themselves."
    )

    @classmethod
    def of(cls, found: Difference, next_cursor: str | None, answers: JobSummary | None) -> VersionDiff:
        return cls.model_validate(
            {
                "from": found.from_version,
                "to": found.to_version,
                "added": found.added,
                "removed": found.removed,
                "renamed": [{"from": before, "to": after} for before, after in found.renamed],
                "kinds": [{"label": one[0], "from": one[1], "to": one[2]} for one in found.kinds],
                "rule": {name: list(both) for name, both in found.rule.items()},
                "classes": [as_model(ClassDifference, one) for one in found.counts],
                "total": found.total,
                "supports": [{"id": one.id, "from": one.before, "to": one.after} for one in found.supports],
                "next_cursor": next_cursor,
                "answers": answers,
            }
        )


class Restored(BaseModel):
    """The version of a collection that was made what an earlier one was."""

    version: int
    restored: int = Field(description="The version that it is like.")
