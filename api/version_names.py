"""Views of the names of versions."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.inputs import Strict
from api.routes import Routes
from api.services import services
from api.versions import resolve_version
from store.record.keys import Scope

routes = Routes("version_names")

PATH = "/collections/<collection>/versions/<version>/name"


class NewName(Strict):
    """A name for a version."""

    name: str = Field(
        description="1 to 63 of a-z, 0-9, - and _, not only digits; unique in the collection.",
        examples=["before-season-2"],
    )


class NamedVersion(BaseModel):
    """A version with its name."""

    version: int
    name: str


@routes.add("PUT", PATH, scope=Scope.ENROLL)
def name_version(collection: str, version: str, body: NewName) -> NamedVersion:
    """Name a version, which may then stand wherever a version is expected."""
    number = resolve_version(collection, version)
    reached = services().store.version_names.put(collection, number, body.name)
    return NamedVersion(version=reached, name=body.name)


@routes.add("DELETE", PATH, scope=Scope.ENROLL, status=204)
def unname_version(collection: str, version: str) -> None:
    """Remove the name of a version, which stays."""
    services().store.version_names.remove(collection, resolve_version(collection, version))
