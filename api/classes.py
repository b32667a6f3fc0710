"""Views of classes."""

from __future__ import annotations

from functools import partial

from api.inputs import ClassChange, Merge, NewClass, PageQuery
from api.models import ClassModel, ClassPage
from api.pages import read_number
from api.routes import Routes
from api.services import services
from core.labels import clean_label
from store.record.keys import Scope

routes = Routes("classes")


@routes.add("GET", "/collections/<collection>/classes", scope=Scope.CLASSIFY)
def list_classes(collection: str, query: PageQuery) -> ClassPage:
    """List the classes of a collection with their counts."""
    found = services().store.classes.page(collection, after=read_number(query.cursor), limit=query.limit)
    return ClassPage.of(found, query.limit, partial(ClassModel.of, collection))


@routes.add("POST", "/collections/<collection>/classes", scope=Scope.ENROLL, status=201)
def make_class(collection: str, body: NewClass) -> ClassModel:
    """Create a class from its name; if the collection has prompts, it answers immediately."""
    return ClassModel.of(
        collection, services().store.classes.add(collection, clean_label(body.label), body.kind)
    )


@routes.add("GET", "/collections/<collection>/classes/<label:label>", scope=Scope.CLASSIFY)
def get_class(collection: str, label: str) -> ClassModel:
    """Show one class."""
    return ClassModel.of(
        collection, services().store.classes.get(collection, clean_label(label, exists=True))
    )


@routes.add("PATCH", "/collections/<collection>/classes/<label:label>", scope=Scope.ENROLL)
def change_class(collection: str, label: str, body: ClassChange) -> ClassModel:
    """Rename a class, or change its kind."""
    new_label = None if body.label is None else clean_label(body.label)
    changed = services().store.classes.change(
        collection, clean_label(label, exists=True), new_label=new_label, kind=body.kind
    )
    return ClassModel.of(collection, changed)


@routes.add("DELETE", "/collections/<collection>/classes/<label:label>", scope=Scope.ENROLL, status=204)
def delete_class(collection: str, label: str) -> None:
    """Delete a class with its supports."""
    services().store.classes.delete(collection, clean_label(label, exists=True))


@routes.add("POST", "/collections/<collection>/classes/<label:label>/merge", scope=Scope.ENROLL)
def merge_classes(collection: str, label: str, body: Merge) -> ClassModel:
    """Merge other classes into this one."""
    sources = [clean_label(source, exists=True) for source in body.sources]
    return ClassModel.of(collection, services().store.classes.merge(collection, clean_label(label), sources))
