"""Validation of answers against the schemas in the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

import httpx
import jsonschema
import jsonschema_rs


class Contract:
    """Raises if an answer does not match the document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._paths = [
            (re.compile(re.sub(r"\\{\w+\\}", "(.+)", re.escape(path))), operations)
            for path, operations in document["paths"].items()
        ]
        self._paths.sort(key=lambda pair: -pair[0].pattern.count("/"))
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def check(self, response: httpx.Response) -> None:
        """Check one answer; an error must be a problem object with a code."""
        response.read()
        media_type = response.headers.get("content-type", "").partition(";")[0]
        if response.is_error and media_type != "application/json":
            assert media_type == "application/problem+json", (response.status_code, response.text[:300])
            self._validate({"$ref": "#/components/schemas/ProblemModel"}, response.json())
            assert response.json()["status"] == response.status_code
            assert response.status_code != 500, response.text
            return
        operation = self._operation(response.request)
        if operation is None:
            return
        promised = operation["responses"].get(str(response.status_code))
        assert promised is not None, (response.request.url, response.status_code, response.text[:300])
        if "content" not in promised:
            assert response.content == b""
            return
        assert media_type in promised["content"], media_type
        if media_type == "application/json":
            self._validate(promised["content"][media_type]["schema"], response.json())

    def _operation(self, request: httpx.Request) -> dict[str, Any] | None:
        for pattern, operations in self._paths:
            if pattern.fullmatch(request.url.path) and request.method.lower() in operations:
                return operations[request.method.lower()]
        return None

    def _validate(self, schema: dict[str, Any], instance: Any) -> None:
        """Ask the fast library, and for the words of its objection the clearer one."""
        whole = {**schema, "components": self.document["components"]}
        key = repr(schema)
        if key not in self._validators:
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        if not self._validators[key].is_valid(instance):
            jsonschema.Draft202012Validator(whole).validate(instance)
            self._validators[key].validate(instance)
