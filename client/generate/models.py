"""Makes models.py from the OpenAPI document."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from client.generate.types import NOTE, Document, allowed, name_of, or_none, python_name, type_of

_HEAD = f'''"""What the service takes and gives."""

{NOTE}
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """What a later version of the service adds is kept."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)
'''
_TAIL = """
for _model in Model.__subclasses__():  # some are named before they are made
    _model.model_rebuild()
"""


def models_source(document: Document) -> str:
    """Return models.py: a pydantic model for each object of the document, a type for each enumeration."""
    schemas = document["components"]["schemas"]
    return "\n\n".join([_HEAD, *(_model(name, schema) for name, schema in schemas.items()), _TAIL])


def _model(name: str, schema: Document) -> str:
    if "enum" in schema:
        return f'{name_of(name)} = {allowed(schema["enum"])}\n"""{schema["description"]}"""\n'
    lines = [f"class {name_of(name)}(Model):", *_docstring(schema.get("description", name)), ""]
    required = schema.get("required", ())
    for field, of in schema.get("properties", {}).items():
        lines += _field(field, of, is_required=field in required)
    return "\n".join(lines) + "\n"


def _field(name: str, schema: Document, *, is_required: bool) -> Iterator[str]:
    type_ = type_of(schema) if is_required else or_none(type_of(schema))
    more = [] if is_required else ["default=None"]
    if python_name(name) != name:
        more.append(f'alias="{name}"')
    yield f"    {python_name(name)}: {type_}" + (f" = Field({', '.join(more)})" if more else "")
    if "description" in schema:
        yield from _docstring(schema["description"])


def _docstring(text: str) -> list[str]:
    text = text if text.endswith(".") else f"{text}."
    return textwrap.indent(f'"""{text}"""', "    ").splitlines()
