"""How the schemas of the OpenAPI document are spelled in Python, for what is generated from it."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]

NOTE = "# Generated; `make generate` writes it.\n"
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def type_of(schema: Document, *, to_send: bool = False) -> str:
    """Return the Python type of a schema; what is to be sent may also be a plain mapping."""
    if "$ref" in schema:
        name = name_of(schema["$ref"].rpartition("/")[2])
        return f"models.{name} | Mapping[str, Any]" if to_send else name
    if "const" in schema or "enum" in schema:
        return allowed(schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        found = dict.fromkeys(type_of(one, to_send=to_send) for one in schema["anyOf"])
        return " | ".join(sorted(found, key=lambda type_: type_ == "None"))
    if "prefixItems" in schema:
        return f"tuple[{', '.join(map(type_of, schema['prefixItems']))}]"
    if schema.get("type") == "array":
        inner = type_of(schema.get("items", {}), to_send=to_send)
        return f"{'Sequence' if to_send else 'list'}[{inner}]"
    if schema.get("type") == "object":
        more = schema.get("additionalProperties")
        inner = type_of(more) if isinstance(more, Mapping) else "Any"
        return f"{'Mapping' if to_send else 'dict'}[str, {inner}]"
    if schema.get("format") == "date-time":
        return "datetime"
    return _PLAIN.get(schema.get("type", ""), "Any")


def allowed(values: list[object]) -> str:
    """Return the type of some texts; a later version may know more, which does no harm."""
    return f"Literal[{', '.join(map(repr, values))}] | str"


def or_none(type_: str) -> str:
    """Return the type of what may be left out."""
    return type_ if type_.endswith("None") else f"{type_} | None"


def name_of(schema: str) -> str:
    """Return what a schema is called here: JobModel is Job."""
    return schema.removesuffix("Model").replace("_", "")


def python_name(name: str) -> str:
    """Return a name that is none of Python's own words."""
    return f"{name}_" if keyword.iskeyword(name) else name
