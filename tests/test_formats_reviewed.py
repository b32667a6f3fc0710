"""Labels of Label Studio and FiftyOne: written as these tools read them, and read entry by entry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.errors import ExemplarError
from formats.fiftyone import labels_of, read_labels
from formats.item_names import ItemNames
from formats.label_studio import read_tasks, task_of
from formats.reviewed_items import Entry, Refused, Reviewed

NAMES = [
    "birds/a.jpg",
    "cats/a.jpg",
    "birds/b.png",
    "b.jpg",
    None,
    "c.d.jpg",
    "deep/birds/e.jpg",
    "birds/e.jpg",
]


def answer(item: int, label: str | None, final: str | None, **more: Any) -> dict[str, Any]:
    return {
        "item": item,
        "custom_id": NAMES[item],
        "decision": "known",
        "label": label,
        "final_label": final,
        "reviewed": label != final,
        "confidence": 0.75,
        "encoder": "e",
        **more,
    }


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("birds/a.jpg", 0),
        ("/album/birds/a.jpg", 0),
        ("album\\cats\\a.jpg", 1),
        ("b.png", 2),
        ("b.jpg", 3),
        ("./b.jpg", 3),
        ("4", 4),
        ("c.d.jpg", 5),
        ("c.d", 5),
        ("birds/b", 2),
        ("b", 3),
        ("birds/e.jpg", 7),  # exactly, not the end of another
        ("x/birds/e.jpg", 7),
    ],
)
def test_items_are_found_by_the_end_of_their_path(name: str, item: int) -> None:
    assert ItemNames(enumerate(NAMES)).find([name]) == item


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a.jpg", "item_ambiguous"),
        ("a", "item_ambiguous"),
        ("dogs/a.jpg", "item_not_found"),
        ("c", "item_not_found"),
        ("", "item_not_found"),
        ("9", "item_not_found"),
    ],
)
def test_other_names_are_named(name: str, code: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        ItemNames(enumerate(NAMES)).find([name])
    assert caught.value.code == code


def test_answer_is_a_prediction_and_its_review_an_annotation() -> None:
    task = task_of(answer(0, "wren", "robin"), "http://x/1", "job")
    assert task["data"] == {"image": "http://x/1", "name": "birds/a.jpg", "item": 0, "job": "job"}
    [prediction], [annotation] = task["predictions"], task["annotations"]
    assert (prediction["score"], prediction["model_version"]) == (0.75, "e")
    choice = {"from_name": "choice", "to_name": "image", "type": "choices"}
    assert prediction["result"] == [{"id": "item-0", **choice, "value": {"choices": ["wren"]}}]
    assert annotation["result"] == [{"id": "item-0", **choice, "value": {"choices": ["robin"]}}]
    assert "annotations" not in task_of(answer(1, "wren", "wren"), "", "job")
    unknown = task_of(answer(1, "wren", None), "", "job")
    assert unknown["annotations"][0]["result"] == []
    assert "predictions" not in task_of(answer(1, None, "robin"), "", "job")


def several(item: int, labels: list[str], final: list[str]) -> dict[str, Any]:
    given = [{"label": label, "probability": 0.9, "decision": "yes"} for label in labels]
    unsure = {"label": "ball", "probability": 0.4, "decision": "unsure"}
    base = {**answer(item, None, None), "labels": [*given, unsure], "final_labels": final, "reviewed": True}
    return {name: value for name, value in base.items() if name not in ("label", "final_label")}


def test_several_labels_are_choices_and_come_back() -> None:
    task = task_of(several(0, ["dog", "beach"], ["beach", "sand"]), "", "job")
    assert task["predictions"][0]["result"][0]["value"]["choices"] == ["dog", "beach"]
    assert task["annotations"][0]["result"][0]["value"]["choices"] == ["beach", "sand"]
    [found] = read_tasks(json.dumps([task]))
    assert isinstance(found, Reviewed)
    assert found.labels == ("beach", "sand")
    none = task_of(several(0, [], []), "", "job")
    assert "predictions" not in none
    assert none["annotations"][0]["result"] == []


def test_fiftyone_of_several_labels_is_refused() -> None:
    with pytest.raises(ExemplarError, match="expected answers of one label"):
        labels_of([several(0, ["dog"], ["dog"])])


def annotated(*choices: Any, data: Any = None, **more: Any) -> dict[str, Any]:
    """Return a task as Label Studio exports it, with an annotation of each of these choices."""
    annotations = [
        {"id": n, "completed_by": 1, "was_cancelled": False, "ground_truth": False, "result": one, **more}
        for n, one in enumerate(choices)
    ]
    return {"id": 7, "data": data or {"image": "/data/upload/3/1a2b3c4d-a.jpg"}, "annotations": annotations}


def choice(*labels: Any) -> list[dict[str, Any]]:
    return [{"from_name": "c", "to_name": "i", "type": "choices", "value": {"choices": list(labels)}}]


def read(task: Any) -> list[Entry]:
    return list(read_tasks(json.dumps([task, annotated(choice("neighbour"))])))[:-1]


def test_tasks_come_back_as_they_went() -> None:
    tasks = [task_of(answer(n, "wren", final), "http://x", "job") for n, final in ((0, "robin"), (2, None))]
    found = list(read_tasks(json.dumps(tasks)))
    assert [(one.names, one.labels) for one in found if isinstance(one, Reviewed)] == [
        (["birds/a.jpg"], ("robin",)),
        (["birds/b.png"], ()),
    ]


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"name": "birds/a.jpg", "image": "http://x/y"}, "birds/a.jpg"),
        ({"image": "/data/upload/3/1a2b3c4d-a.jpg"}, "a.jpg"),
        ({"image": "/data/local-files/?d=album/birds%2Fa%20b.jpg"}, "album/birds/a b.jpg"),
        ({"image": "https://example.com/birds/a%20b.jpg?token=1"}, "/birds/a b.jpg"),
        ({"img": "s3://bucket/birds/a.jpg"}, "/birds/a.jpg"),
        ({"image": "http://[::1"}, "http://[::1"),
    ],
)
def test_pictures_are_named_by_their_place(data: Any, named: str) -> None:
    [found] = read(annotated(choice("wren"), data=data))
    assert isinstance(found, Reviewed)
    assert named in found.names


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        (annotated(choice("wren"), choice("wren")), ("wren",)),
        (annotated([]), ()),
        (annotated(choice("wren"), ground_truth=True), ("wren",)),
        (annotated(choice("wren", "robin", "wren")), ("robin", "wren")),
        (annotated([*choice("wren"), *choice("robin")]), ("robin", "wren")),
    ],
)
def test_labels_are_what_annotations_agree_on(task: Any, labels: tuple[str, ...]) -> None:
    [found] = read(task)
    assert (found.place, isinstance(found, Reviewed) and found.labels) == ("task 7", labels)


@pytest.mark.parametrize("task", [annotated(), annotated(choice("wren"), was_cancelled=True)])
def test_task_without_an_annotation_says_nothing(task: Any) -> None:
    assert read(task) == []


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("text", "expected an object with data"),
        ({"image": "a.jpg", "choice": "wren"}, "expected an object with data"),
        ({"id": 1, "data": {}, "annotations": {}}, "annotations as a list"),
        (annotated("wren"), "result as a list"),
        (annotated(choice(1)), "expected choices as texts, got [1]"),
        (annotated(choice("wren"), choice("robin")), "expected annotations that agree, got robin; wren"),
        (annotated(choice("a", "b"), choice("b")), "expected annotations that agree, got a, b; b"),
        (annotated([{"type": "rectanglelabels", "value": {}}]), "got 'rectanglelabels'"),
    ],
)
def test_broken_task_is_refused_alone(task: Any, expected: str) -> None:
    [found] = read(task)
    assert isinstance(found, Refused)
    assert expected in found.error.message


def test_fiftyone_has_classes_and_their_numbers() -> None:
    answers = [answer(0, "wren", "wren"), answer(3, "wren", "robin"), answer(4, "wren", None)]
    document = labels_of(answers)
    assert document == {"classes": ["robin", "wren"], "labels": {"birds/a": 1, "b": 0, "4": None}}
    found = [
        (one.names, one.labels) for one in read_labels(json.dumps(document)) if isinstance(one, Reviewed)
    ]
    assert found == [(["birds/a"], ("wren",)), (["b"], ("robin",))]


def test_fiftyone_cannot_tell_suffixes_apart() -> None:
    twins = [answer(0, "wren", "wren"), answer(2, "wren", "wren", custom_id="birds/a.png")]
    with pytest.raises(ExemplarError, match="items 0 and 2 are both 'birds/a'"):
        labels_of(twins)


def test_fiftyone_labels_are_read_in_each_of_its_forms() -> None:
    with_confidence = {"a": {"label": 1, "confidence": 0.5}, "b": {"label": None}, "c": None}
    [found] = read_labels(json.dumps({"classes": ["x", "y"], "labels": with_confidence}))
    assert isinstance(found, Reviewed)
    assert (found.names, found.labels) == (["a"], ("y",))
    [found] = read_labels(json.dumps({"labels": {"a": "wren"}}))
    assert isinstance(found, Reviewed)
    assert found.labels == ("wren",)


@pytest.mark.parametrize("target", [2, -1, True, "wren", 0.5, [0]])
def test_broken_fiftyone_label_is_refused_alone(target: Any) -> None:
    document = {"classes": ["x", "y"], "labels": {"a": target, "b": 0}}
    first, second = read_labels(json.dumps(document))
    assert isinstance(first, Refused)
    assert "expected the number of one of the 2 classes" in first.error.message
    assert isinstance(second, Reviewed)


@pytest.mark.parametrize(
    "text", ["", "[", "[]", '{"labels": []}', '{"labels": {}, "classes": 3}', "[" * 100_000]
)
def test_file_that_is_none_of_fiftyone_is_refused(text: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        list(read_labels(text))
    assert caught.value.code == "manifest_invalid"
