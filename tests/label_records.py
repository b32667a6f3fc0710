"""Helpers of the store's tests of several labels a picture."""

from __future__ import annotations

import pytest
from enrolling import enroll
from sqlalchemy import func, select

from core.collections import ClassKind
from core.errors import ExemplarError
from core.jobs import Item
from core.label_sets import LabelSet
from store import tables as t
from store.store import Store

NAME = "photos"


def item(picture: str, *labels: str, complete: bool = False, index: int = 0) -> Item:
    return Item(index, picture, labels=labels, complete=complete)


def put(store: Store, picture: str, *labels: str, complete: bool = False) -> dict[str, object]:
    """Enrol one picture and return its result."""
    [result] = enroll(store, item(picture, *labels, complete=complete), collection=NAME)
    return result


def labels_of(store: Store) -> dict[str, LabelSet]:
    """Return the label set of each picture."""
    return {
        one.picture: one.labels for one in store.supports.page(NAME, limit=1000) if one.labels is not None
    }


def counts(store: Store) -> dict[str, int]:
    return {one.label: one.supports for one in store.classes.page(NAME)}


def version(store: Store) -> int:
    return store.collections.get(NAME).version


def partial(*labels: str) -> LabelSet:
    return LabelSet(labels)


def complete(*labels: str) -> LabelSet:
    return LabelSet(labels, complete=True)


def code_of(call: object, *arguments: object, **named: object) -> str:
    with pytest.raises(ExemplarError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    return caught.value.code


def followed(store: Store, since: int = 0) -> dict[int, tuple[tuple[str, ...], bool]]:
    """Return what a replica knows of each support: its labels and whether these are all."""
    changes = store.supports.changes_since(store.collections.get(NAME).id, since)
    assert changes is not None
    classes = {one.id: one for one in changes.classes if not one.deleted}
    found = {}
    for one in changes.supports:
        if one.class_id is not None:
            set_ = classes[one.class_id]
            assert set_.kind is ClassKind.SET
            assert list(set_.members) == sorted(set_.members)
            found[one.id] = tuple(sorted(classes[id_].label for id_ in set_.members)), set_.complete
    return found


def check(store: Store) -> None:
    """The feed and the page agree, every set is there once, and no set has a deleted label."""
    page = {
        one.id: (one.labels.labels, one.labels.complete)
        for one in store.supports.page(NAME, limit=1000)
        if one.labels
    }
    assert followed(store) == page
    class_, member = t.class_.c, t.class_member.c
    label = t.class_.alias("label")
    with store.database.read() as connection:
        sets = connection.execute(
            select(class_.id, class_.complete).where(class_.kind == ClassKind.SET, ~class_.deleted)
        ).all()
        members = [
            (
                one.complete,
                *sorted(connection.execute(select(member.label_id).where(member.set_id == one.id)).scalars()),
            )
            for one in sets
        ]
        dead = select(func.count()).select_from(t.class_member).join(label, label.c.id == member.label_id)
        assert connection.execute(dead.where(label.c.deleted)).scalar() == 0
    assert len(set(members)) == len(members)
    assert (False,) not in members
