"""Forms as programs send them: with file names in any encoding, and an error for a broken one."""

from __future__ import annotations

from typing import Any

import werkzeug.formparser
from flask import Request
from werkzeug.datastructures import Headers
from werkzeug.formparser import FormDataParser
from werkzeug.sansio.multipart import MultipartDecoder


class _Decoder(MultipartDecoder):
    """Reads the headers of parts that are not UTF-8 as Latin-1: file names are not used, pictures are."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        try:
            return super()._parse_headers(data)
        except UnicodeDecodeError:
            return super()._parse_headers(data.decode("latin-1").encode())


class _Parser(FormDataParser):
    """Raises ValueError for a broken form, instead of returning an empty one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "silent": False})


class FormRequest(Request):
    """A request whose form is parsed by the classes above."""

    form_data_parser_class = _Parser


# werkzeug has no setting for the decoder; tests/test_api_forms.py holds what this is for
werkzeug.formparser.MultipartDecoder = _Decoder  # type: ignore[attr-defined]
