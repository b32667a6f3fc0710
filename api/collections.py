"""Views of collections."""

from __future__ import annotations

from flask import Response

from api.inputs import CollectionChange, NewCollection, PageQuery
from api.models import CollectionModel, CollectionPage
from api.pages import make_cursor, read_number
from api.routes import Routes
from api.services import check_offered, services
from core.labels import check_slug
from store.keys import Scope

routes = Routes("collections")


@routes.add("POST", "/collections", scope=Scope.ADMIN, body=NewCollection, answer=CollectionModel, status=201)
def make_collection(body: NewCollection) -> CollectionModel:
    """Make a collection."""
    encoder = body.encoder or services().settings.encoders[0]
    check_offered(encoder)
    return CollectionModel.of(
        services().store.collections.create(check_slug(body.name), encoder, body.rule.value())
    )


@routes.add("GET", "/collections", scope=Scope.CLASSIFY, query=PageQuery, answer=CollectionPage)
def list_collections(query: PageQuery) -> CollectionPage:
    """List collections in the order they were made."""
    found = services().store.collections.page(after=read_number(query.cursor), limit=query.limit)
    return CollectionPage(
        items=[CollectionModel.of(collection) for collection in found],
        next_cursor=make_cursor(found[-1].id) if len(found) == query.limit else None,
    )


@routes.add("GET", "/collections/<collection>", scope=Scope.CLASSIFY, answer=CollectionModel)
def get_collection(collection: str) -> CollectionModel:
    """Show one collection with its counts."""
    return CollectionModel.of(services().store.collections.get(collection))


@routes.add(
    "PATCH", "/collections/<collection>", scope=Scope.ADMIN, body=CollectionChange, answer=CollectionModel
)
def change_collection(collection: str, body: CollectionChange) -> CollectionModel:
    """Change the rule of a collection."""
    return CollectionModel.of(services().store.collections.set_rule(collection, body.rule.value()))


@routes.add("DELETE", "/collections/<collection>", scope=Scope.ADMIN, status=204)
def delete_collection(collection: str) -> Response:
    """Remove a collection with its classes and supports."""
    services().store.collections.delete(collection)
    return Response(status=204)
