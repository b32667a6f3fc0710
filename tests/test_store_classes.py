"""Classes and supports, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from enrolling import enroll, enroll_labels
from sqlalchemy import event, insert
from tiny import DEFAULT

from core.collections import ChangeKind, ClassKind
from core.errors import ExemplarError
from core.jobs import Item
from store import tables as t
from store.record.change_log import Made
from store.record.collections import set_version
from store.store import Store


def counts(store: Store) -> dict[str, int]:
    return {class_.label: class_.supports for class_ in store.classes.page("things")}


def version(store: Store) -> int:
    return store.collections.get("things").version


def code_of(call: object, *arguments: object, **named: object) -> str:
    with pytest.raises(ExemplarError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    return caught.value.code


def test_classes_stand_in_the_order_they_were_made(things: Store) -> None:
    enroll_labels(things, "zebra", "ant", "mole", "ant")
    first = things.classes.page("things", limit=2)
    rest = things.classes.page("things", after=first[-1].id)
    assert [(one.label, one.supports) for one in first + rest] == [("zebra", 1), ("ant", 2), ("mole", 1)]


def test_class_is_made_of_its_name_alone(things: Store) -> None:
    made = things.classes.add("things", "cat", ClassKind.NEGATIVE)
    assert made == things.classes.get("things", "cat")
    assert (made.label, made.kind, made.supports) == ("cat", ClassKind.NEGATIVE, 0)
    assert version(things) == 1


def test_label_is_given_to_one_class(things: Store) -> None:
    enroll_labels(things, "cat")
    assert code_of(things.classes.add, "things", "cat") == "class_exists"
    assert code_of(things.classes.add, "nothing", "cat") == "collection_not_found"
    assert (counts(things), version(things)) == ({"cat": 1}, 1)


def test_picture_is_enrolled_into_the_class_made_of_its_name(things: Store) -> None:
    things.classes.add("things", "cat")
    enroll_labels(things, "cat")
    assert counts(things) == {"cat": 1}


def test_deleted_class_may_be_made_again(things: Store) -> None:
    things.classes.add("things", "cat")
    things.classes.delete("things", "cat")
    things.classes.add("things", "cat")
    assert counts(things) == {"cat": 0}


def test_one_of_many_who_make_a_class_at_once_makes_it(things: Store) -> None:
    def make(_: int) -> bool:
        try:
            things.classes.add("things", "cat")
        except ExemplarError as error:
            assert error.code == "class_exists"
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(make, range(8))) == 1
    assert counts(things) == {"cat": 0}


def test_renamed_class_keeps_its_supports(things: Store) -> None:
    [support] = enroll_labels(things, "cat")
    renamed = things.classes.change("things", "cat", new_label="felis")
    assert (renamed.label, renamed.supports) == ("felis", 1)
    assert things.supports.get("things", support).label == "felis"
    assert code_of(things.classes.get, "things", "cat") == "class_not_found"


def test_class_may_be_renamed_back(things: Store) -> None:
    enroll_labels(things, "cat")
    things.classes.change("things", "cat", new_label="felis")
    things.classes.change("things", "felis", new_label="cat")
    assert counts(things) == {"cat": 1}


def test_taken_label_is_refused(things: Store) -> None:
    enroll_labels(things, "cat", "dog")
    before = version(things)
    assert code_of(things.classes.change, "things", "cat", new_label="dog") == "class_exists"
    assert (counts(things), version(things)) == ({"cat": 1, "dog": 1}, before)


def test_class_becomes_negative(things: Store) -> None:
    enroll_labels(things, "noise")
    assert things.classes.change("things", "noise", kind=ClassKind.NEGATIVE).kind is ClassKind.NEGATIVE
    assert things.classes.get("things", "noise").kind is ClassKind.NEGATIVE


def test_deleted_class_takes_its_supports_along(things: Store) -> None:
    cat, dog = enroll_labels(things, "cat", "dog")
    things.classes.delete("things", "cat")
    assert counts(things) == {"dog": 1}
    assert [support.id for support in things.supports.page("things")] == [dog]
    assert code_of(things.supports.get, "things", cat) == "support_not_found"


def test_merged_classes_become_one(things: Store) -> None:
    supports = enroll_labels(things, "cat", "kitty", "puss", "dog")
    merged = things.classes.merge("things", "cat", ["kitty", "puss"])
    assert (merged.label, merged.supports) == ("cat", 3)
    assert counts(things) == {"cat": 3, "dog": 1}
    assert [support.id for support in things.supports.page("things", label="cat")] == supports[:3]


def test_picture_that_both_classes_have_is_merged_into_one(things: Store) -> None:
    first, *_ = enroll(things, Item(0, "aa", "cat"), Item(1, "aa", "kitty"), Item(2, "bb", "kitty"))
    things.classes.merge("things", "cat", ["kitty"])
    assert counts(things) == {"cat": 2}
    assert [s.picture for s in things.supports.page("things")] == ["aa", "bb"]
    assert things.supports.page("things")[0].id == first["support_id"]


def test_picture_that_two_sources_have_is_merged_into_one(things: Store) -> None:
    enroll(things, Item(0, "xx", "cat"), Item(1, "aa", "kitty"), Item(2, "aa", "puss"))
    assert things.classes.merge("things", "cat", ["kitty", "puss"]).supports == 2


@pytest.mark.parametrize(
    ("sources", "code"), [([], "merge_invalid"), (["cat"], "merge_invalid"), (["nobody"], "class_not_found")]
)
def test_unusable_merge_changes_nothing(things: Store, sources: list[str], code: str) -> None:
    enroll_labels(things, "cat", "dog")
    assert (
        code_of(things.classes.merge, "things", "cat", ["dog", *sources] if "nobody" in sources else sources)
        == code
    )
    assert counts(things) == {"cat": 1, "dog": 1}


def test_moved_support_changes_its_class(things: Store) -> None:
    cat, _ = enroll_labels(things, "cat", "dog")
    assert things.supports.move("things", cat, "dog").label == "dog"
    assert counts(things) == {"cat": 0, "dog": 2}


def test_moving_makes_a_new_class(things: Store) -> None:
    [cat] = enroll_labels(things, "cat")
    assert things.supports.move("things", cat, "lynx").label == "lynx"
    assert counts(things) == {"cat": 0, "lynx": 1}


def test_picture_moved_to_where_it_is_already_is_there_once(things: Store) -> None:
    cat, dog = enroll(things, Item(0, "aa", "cat"), Item(1, "aa", "dog"))
    assert (cat["duplicate_of"], cat["duplicate_label"]) == (None, None)
    assert (dog["duplicate_of"], dog["duplicate_label"]) == (cat["support_id"], "cat")
    before = version(things)
    assert things.supports.move("things", cat["support_id"], "dog").id == dog["support_id"]
    assert (counts(things), version(things)) == ({"cat": 0, "dog": 1}, before + 1)
    [again] = enroll(things, Item(0, "aa", "dog"))
    assert (again["duplicate_of"], again["duplicate_label"]) == (dog["support_id"], "dog")


def test_deleted_support_is_gone(things: Store) -> None:
    first, second = enroll_labels(things, "cat", "cat")
    things.supports.delete("things", first)
    assert [support.id for support in things.supports.page("things")] == [second]
    assert code_of(things.supports.delete, "things", first) == "support_not_found"


@pytest.mark.parametrize("support_id", [0, 999_999, 2**63 - 1, 2**63, 2**80])
def test_support_that_never_was_is_not_found(things: Store, support_id: int) -> None:
    assert code_of(things.supports.get, "things", support_id) == "support_not_found"
    assert code_of(things.supports.delete, "things", support_id) == "support_not_found"
    assert code_of(things.supports.move, "things", support_id, "cat") == "support_not_found"


def test_support_of_another_collection_is_not_found(things: Store) -> None:
    [cat] = enroll_labels(things, "cat")
    things.collections.create("others", DEFAULT, things.collections.get("things").rule)
    assert code_of(things.supports.get, "others", cat) == "support_not_found"
    assert code_of(things.supports.delete, "others", cat) == "support_not_found"


def test_supports_stand_in_the_order_of_enrolment(things: Store) -> None:
    ids = enroll_labels(things, "cat", "dog", "cat", "cat")
    first = things.supports.page("things", label="cat", limit=2)
    rest = things.supports.page("things", label="cat", after=first[-1].id, limit=2)
    assert [support.id for support in first + rest] == [ids[0], ids[2], ids[3]]
    assert things.supports.page("things", label="nobody") == []


@pytest.mark.parametrize("call", ["rename", "kind", "move", "delete support", "delete class"])
def test_each_change_raises_the_version_by_one(things: Store, call: str) -> None:
    cat, _ = enroll_labels(things, "cat", "dog")
    things.supports.delete("things", cat) if call == "delete class" else None
    before = version(things)
    {
        "rename": lambda: things.classes.change("things", "cat", new_label="felis"),
        "kind": lambda: things.classes.change("things", "cat", kind=ClassKind.NEGATIVE),
        "move": lambda: things.supports.move("things", cat, "dog"),
        "delete support": lambda: things.supports.delete("things", cat),
        "delete class": lambda: things.classes.delete("things", "cat"),
    }[call]()
    assert version(things) == before + 1


@pytest.mark.slow
def test_ten_thousand_supports_are_merged_and_deleted_in_few_statements(things: Store) -> None:
    enroll_labels(things, "cat", "kitty")
    collection = things.collections.get("things")
    kitty = things.classes.get("things", "kitty").id
    row = {"collection_id": collection.id, "class_id": kitty, "vector": bytes(2048), "thumbnail": "t"}
    rows = [
        {**row, "seq": collection.version + n, "picture": f"p{n}", "metadata": {}, "created_at": 0.0}
        for n in range(1, 10_001)
    ]
    with things.database.write() as connection:
        connection.execute(insert(t.support), rows)
        set_version(connection, collection.id, collection.version + len(rows), Made(ChangeKind.ENROLLED))
    said: list[str] = []

    @event.listens_for(things.database.engine, "before_cursor_execute")
    def _note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    assert things.classes.merge("things", "cat", ["kitty"]).supports == 10_002
    things.classes.delete("things", "cat")
    event.remove(things.database.engine, "before_cursor_execute", _note)
    assert 0 < len(said) < 100
    assert things.collections.get("things").supports == 0
    assert version(things) == collection.version + len(rows) + 10_001 + 1 + 10_002 + 1
