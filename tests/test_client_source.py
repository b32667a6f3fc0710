"""The generated modules of the client are those of this API."""

from __future__ import annotations

import inspect

import pytest

from client.generate.__main__ import PACKAGE, document, sources
from exemplar_client import AsyncExemplar, Exemplar

pytestmark = pytest.mark.processes


def test_generated_files_are_those_of_this_api() -> None:
    stale = [name for name, source in sources() if (PACKAGE / name).read_text() != source]
    assert not stale, "run: make generate"


@pytest.mark.parametrize("client", [Exemplar, AsyncExemplar])
def test_every_call_of_the_api_is_a_method(client: type) -> None:
    operations = {one["operationId"] for methods in document()["paths"].values() for one in methods.values()}
    assert operations - {name for name, _ in inspect.getmembers(client, callable)} == set()
