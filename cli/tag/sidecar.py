"""XMP sidecars (ISO 16684-1): a picture's label in a file next to it that photo software reads."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.collections import DecisionName
from core.results import has_several, labels_of
from runtime.files import write

TOOLKIT = "Exemplar"
_SPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "exemplar": "urn:exemplar:xmp:1",
}
MOST_BYTES = 1 << 20


def sidecar_path(picture: str) -> str:
    """Return the path of a picture's sidecar: `a.jpg.xmp`, so that `a.jpg` and `a.png` have one each."""
    return f"{picture}.xmp"


def labels_to_write(answer: Mapping[str, Any]) -> list[str]:
    """Return the labels of a picture's sidecar: what a person said, or the answer if it is known."""
    if not answer.get("reviewed"):
        return list(labels_of(answer)) if answer["decision"] == DecisionName.KNOWN else []
    if has_several(answer):
        return list(answer["final_labels"])
    return [] if answer["final_label"] is None else [answer["final_label"]]


def sidecar_of(collection: str, answer: Mapping[str, Any]) -> bytes | None:
    """Return the sidecar of an answer; None if it has no label. Of several, each `/` begins a level."""
    labels = labels_to_write(answer)
    if not labels:
        return None
    confidence = None if answer.get("reviewed") else float(answer["confidence"])
    return sidecar(collection, labels, confidence, levels="/" if has_several(answer) else None)


def sidecar(
    collection: str, labels: Sequence[str], confidence: float | None, *, levels: str | None = None
) -> bytes:
    """Return a sidecar with labels as its subjects, and under the collection in the hierarchy of subjects.

    The confidence is that of the answer; labels that a person gave have none. `levels` separates the levels
    of a label in that hierarchy.
    """
    for prefix, space in _SPACES.items():
        ET.register_namespace(prefix, space)
    root = ET.Element(_name("x", "xmpmeta"), {_name("x", "xmptk"): TOOLKIT})
    about = {
        _name("rdf", "about"): "",
        _name("exemplar", "collection"): collection,
        **(
            {_name("exemplar", "reviewed"): "True"}  # XMP's word for a boolean
            if confidence is None
            else {_name("exemplar", "confidence"): f"{confidence:.4f}"}
        ),
    }
    description = ET.SubElement(ET.SubElement(root, _name("rdf", "RDF")), _name("rdf", "Description"), about)
    for name, texts in (
        (_name("dc", "subject"), labels),
        (_name("lr", "hierarchicalSubject"), [_leveled(collection, label, levels) for label in labels]),
    ):
        bag = ET.SubElement(ET.SubElement(description, name), _name("rdf", "Bag"))
        for text in texts:
            ET.SubElement(bag, _name("rdf", "li")).text = text
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def write_sidecar(picture: str, content: bytes, *, overwrite: bool) -> bool:
    """Write a picture's sidecar; return False if other software's sidecar is kept. Raises OSError.

    A sidecar that other software has edited counts as its own: it adds its name.
    """
    path = sidecar_path(picture)
    if os.path.lexists(path) and not overwrite and not _is_ours(path):
        return False
    write(path, content, durable=False)
    return True


def remove_own_sidecar(picture: str) -> None:
    """Remove an earlier run's sidecar of a picture that is no longer known. Raises OSError."""
    if _is_ours(sidecar_path(picture)):
        os.unlink(sidecar_path(picture))


def put_sidecar(picture: str, content: bytes | None, *, overwrite: bool) -> str:
    """Write the sidecar of a picture, or remove our own where there is nothing to say; return the outcome."""
    if content is None:
        remove_own_sidecar(picture)
        return "sidecars_none"
    return "sidecars_written" if write_sidecar(picture, content, overwrite=overwrite) else "sidecars_kept"


def _leveled(collection: str, label: str, levels: str | None) -> str:
    text = label.replace("|", "/")  # the bar separates levels
    return f"{collection}|{text if levels is None else text.replace(levels, '|')}"


def _is_ours(path: str) -> bool:
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > MOST_BYTES:
            return False
        # our sidecars declare no entities and others are not read, so nothing is expanded
        content = Path(path).read_bytes()
        return b"<!" not in content and ET.fromstring(content).get(_name("x", "xmptk")) == TOOLKIT
    except (OSError, ET.ParseError):
        return False


def _name(prefix: str, name: str) -> str:
    return f"{{{_SPACES[prefix]}}}{name}"
