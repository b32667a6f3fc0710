"""Checks of the classes that a collection's file names, which a stranger may have written."""

from __future__ import annotations

from collections.abc import Mapping

from core.collections import ClassKind, Labels
from core.errors import ExemplarError
from core.label_sets import clean_part, parents_of
from core.labels import clean_label
from formats.bundle import BundleClass, Manifest


def check_classes(manifest: Manifest) -> None:
    """Raise `bundle_invalid` unless a collection can have these classes; or what is wrong with a label."""
    labels = {place: one for place, one in enumerate(manifest.classes) if one.kind is not ClassKind.SET}
    several = manifest.labels is Labels.MANY
    clean = clean_part if several else clean_label
    names = [one.label for one in labels.values()]
    if len(set(names)) != len(names) or names != [clean(name, exists=True) for name in names]:
        raise _invalid("expected each label once, in NFC and trimmed")
    kinds = {ClassKind.NORMAL, ClassKind.SET} if several else {ClassKind.NORMAL, ClassKind.NEGATIVE}
    for place, one in enumerate(manifest.classes):
        if one.kind not in kinds:
            raise _invalid(f"class {place}: expected no {one.kind.value} in a collection of its labels")
        if one.kind is ClassKind.SET:
            _check_set(place, one, labels)
        elif one.members or one.complete:
            raise _invalid(f"class {place}: expected members only in a set")
    if several:
        _check_several(manifest, set(names))


def _check_set(place: int, one: BundleClass, labels: Mapping[int, BundleClass]) -> None:
    if one.label:
        raise _invalid(f"class {place}: expected a set without a label of its own")
    if list(one.members) != sorted(set(one.members)) or not labels.keys() >= set(one.members):
        raise _invalid(f"class {place}: expected the places of labels, ascending")
    if not one.members and not one.complete:
        raise _invalid(f"class {place}: expected members, or a complete set")
    names = {labels[member].label for member in one.members}
    if any(parent not in names for name in names for parent in parents_of(name)):
        raise _invalid(f"class {place}: expected all that its labels imply")


def _check_several(manifest: Manifest, names: set[str]) -> None:
    sets = [(one.members, one.complete) for one in manifest.classes if one.kind is ClassKind.SET]
    if len(set(sets)) != len(sets):
        raise _invalid("expected each set once")
    if any(parent not in names for name in names for parent in parents_of(name)):
        raise _invalid("expected the parents of each label")
    if manifest.prompts is not None:
        raise _invalid("expected no prompts where a picture may have several labels")
    if manifest.format_version == 1:
        raise _invalid("expected format_version 2 where a picture may have several labels")


def _invalid(message: str) -> ExemplarError:
    return ExemplarError("bundle_invalid", f"manifest.json: {message}")
