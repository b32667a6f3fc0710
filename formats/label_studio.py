"""Tasks of Label Studio: its JSON export, with predictions and annotations of Choices on an Image.

The format: https://labelstud.io/guide/task_format and https://labelstud.io/guide/predictions
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from core.results import Result, has_several, labels_of
from formats.reviewed_items import Entry, Refused, Reviewed, read_document

FROM, TO = "choice", "image"  # the names in Label Studio's own template for image classification

_UPLOADED = re.compile(r"^[0-9a-f]{8}-(.+)$")  # Label Studio puts this before the names of uploads

Task = dict[str, Any]


def task_of(answer: Result, image: str, job_id: str) -> Task:
    """Return the task of an answer: the answer as a prediction, its review as an annotation."""
    name = answer.get("custom_id") or str(answer["item"])
    task: Task = {"data": {"image": image, "name": name, "item": answer["item"], "job": job_id}}
    if labels_of(answer):
        prediction = {"result": _result(answer["item"], labels_of(answer)), "score": answer.get("confidence")}
        task["predictions"] = [{"model_version": answer.get("encoder"), **prediction}]
    if answer.get("reviewed"):
        final = answer["final_labels"] if has_several(answer) else [answer["final_label"]]
        result = _result(answer["item"], [label for label in final if label is not None])
        task["annotations"] = [{"result": result, "was_cancelled": False}]
    return task


def read_tasks(text: str) -> Iterator[Entry]:
    """Yield the labels that people gave; a task without an annotation, or a skipped one, gives none.

    Raises `manifest_invalid` if the file is no list of tasks.
    """
    tasks = read_document(text)
    if not isinstance(tasks, list):
        tasks = [tasks]
    for number, task in enumerate(tasks):
        place = f"task {task.get('id', number + 1) if isinstance(task, dict) else number + 1}"
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            yield Refused.because(
                place, "expected an object with data and annotations, as the export JSON has"
            )
            continue
        found = _labels(task.get("annotations", []))
        if isinstance(found, str):
            yield Refused.because(place, found)
        elif len(found) > 1:
            labels = "; ".join(sorted(", ".join(labels) or "none" for labels in found))
            yield Refused.because(place, f"expected annotations that agree, got {labels}")
        elif found:
            yield Reviewed(place, _names(task["data"]), found.pop())


def _result(item: int, labels: Sequence[str]) -> list[Task]:
    if not labels:
        return []
    return [
        {
            "id": f"item-{item}",
            "from_name": FROM,
            "to_name": TO,
            "type": "choices",
            "value": {"choices": list(labels)},
        }
    ]


def _labels(annotations: Any) -> set[tuple[str, ...]] | str:
    """Return the labels of annotations, those of the ground truth if it is marked, or what is wrong."""
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        return "expected annotations as a list of objects"
    valid = [one for one in annotations if not one.get("was_cancelled")]
    labels: set[tuple[str, ...]] = set()
    for annotation in [one for one in valid if one.get("ground_truth")] or valid:
        result = annotation.get("result")
        if not isinstance(result, list) or not all(isinstance(one, dict) for one in result):
            return "expected result as a list of objects"
        choices = [choice for one in result for choice in _choices(one)]
        if not all(isinstance(choice, str) for choice in choices):
            return f"expected choices as texts, got {choices}"
        if result and not choices:
            return f"expected a result of the type choices, got {result[0].get('type')!r}"
        labels.add(tuple(sorted(set(choices))))
    return labels


def _choices(one: Mapping[str, Any]) -> list[Any]:
    value = one.get("value")
    choices = value.get("choices") if one.get("type") == "choices" and isinstance(value, dict) else None
    return choices if isinstance(choices, list) else []


def _names(data: Mapping[str, Any]) -> list[str]:
    """Return what a task may call its picture: `name` as we export it, or the end of its URL."""
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value and key != "job"}
    if "name" in texts:
        return [texts["name"]]
    urls = [texts["image"]] if "image" in texts else list(texts.values())
    return [name for url in urls for name in _ends(url)]


def _ends(url: str) -> list[str]:
    """Return the path in a URL (that of `?d=` for local storage), its last part, and an upload's own name."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return [url]
    path = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    last = path.rpartition("/")[2]
    return [path, last, _UPLOADED.sub(r"\1", last)]
