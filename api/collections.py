"""Views of collections."""

from __future__ import annotations

from flask import g

from api.auth import check_may_make
from api.inputs import CollectionChange, NewCollection, PageQuery
from api.models import CollectionModel, CollectionPage
from api.pages import read_number
from api.routes import Routes
from api.services import check_offered, require_text_encoder, services
from core.labels import check_slug
from core.prompts import check_prompts
from store.record.keys import Scope

routes = Routes("collections")


@routes.add("POST", "/collections", scope=Scope.ADMIN, status=201)
def make_collection(body: NewCollection) -> CollectionModel:
    """Create a collection."""
    check_may_make(body.name)
    encoder = body.encoder or services().settings.encoders[0]
    check_offered(encoder)
    prompts = None if body.prompts is None else check_prompts(body.prompts)
    if prompts is not None:
        require_text_encoder(encoder)
    made = services().store.collections.create(
        check_slug(body.name),
        encoder,
        body.rule.value(),
        views=body.views,
        prompts=prompts,
        index=body.index.value(),
        labels=body.labels,
        quality=body.quality.changes() or None,
    )
    return CollectionModel.of(made)


@routes.add("GET", "/collections", scope=Scope.CLASSIFY)
def list_collections(query: PageQuery) -> CollectionPage:
    """List collections in order of creation."""
    found = services().store.collections.page(
        after=read_number(query.cursor), limit=query.limit, among=g.collections
    )
    return CollectionPage.of(found, query.limit, CollectionModel.of)


@routes.add("GET", "/collections/<collection>", scope=Scope.CLASSIFY)
def get_collection(collection: str) -> CollectionModel:
    """Show one collection with its counts."""
    return CollectionModel.of(services().store.collections.get(collection))


@routes.add("PATCH", "/collections/<collection>", scope=Scope.ADMIN)
def change_collection(collection: str, body: CollectionChange) -> CollectionModel:
    """Change the name, rule, index or quality settings of a collection; omitted fields stay unchanged."""
    if body.name is not None:
        check_may_make(check_slug(body.name))
    changes = body.rule.changes()
    index = None if body.index is None else body.index.value()
    return CollectionModel.of(
        services().store.collections.change(
            collection, changes, index=index, new_name=body.name, quality=body.quality.changes()
        )
    )


@routes.add("DELETE", "/collections/<collection>", scope=Scope.ADMIN, status=204)
def delete_collection(collection: str) -> None:
    """Delete a collection with its classes and supports."""
    services().store.collections.delete(collection)
