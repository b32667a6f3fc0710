"""The collection that a command works on, where it was given and where it was not."""

from __future__ import annotations

import click

from cli.client import Client
from core.errors import ExemplarError
from core.labels import check_slug
from core.near import did_you_mean

SHOWN = 20


def which_collection(client: Client, given: str | None) -> str:
    """Return the given collection, or the only one that the service has.

    Raises `name_invalid`, and `collection_missing` with the names of all where there is not exactly one.
    """
    if given is not None:
        return check_slug(given)
    names = [one["name"] for one in client.pages("/v1/collections")]
    if len(names) == 1:
        return str(names[0])
    if not names:
        raise ExemplarError(
            "collection_missing", "the service has no collection yet; name one with -c, and enrol into it"
        )
    raise ExemplarError("collection_missing", f"name the collection with -c: {names_text(names)}")


def ensure_collection(client: Client, given: str | None, **options: str) -> str:
    """Return the given collection, or the only one; one that is missing is created with these options."""
    name = which_collection(client, given)
    try:
        client.call("GET", f"/v1/collections/{name}")
    except ExemplarError as error:
        if error.code == "key_scope_missing":  # a key that may enrol need not see collections
            return name
        if error.code != "collection_not_found":
            raise
        meant = did_you_mean(name, [one["name"] for one in client.pages("/v1/collections")])
        click.echo(f"creating the collection {name}{meant}", err=True)
        client.ensure_collection(name, **options)
    return name


def names_text(names: list[str]) -> str:
    """Return names as a list, the first of many."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
