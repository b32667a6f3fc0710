"""Base64 as programs send it."""

from __future__ import annotations

import base64

import pytest

from core.base64_text import decode_base64

CONTENT = bytes(range(256)) + b"\xfb\xff"
PLAIN = base64.b64encode(CONTENT).decode()
FORMS = {
    "plain": PLAIN,
    "lines": base64.encodebytes(CONTENT).decode(),
    "lines of a mail": base64.encodebytes(CONTENT).decode().replace("\n", "\r\n"),
    "url-safe": base64.urlsafe_b64encode(CONTENT).decode(),
    "unpadded": PLAIN.rstrip("="),
    "url-safe and unpadded": base64.urlsafe_b64encode(CONTENT).decode().rstrip("="),
    "data": f"data:image/png;base64,{PLAIN}",
    "data with parameters": f"DATA:image/png;name=a.png;BASE64,{PLAIN}",
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_bytes(form: str) -> None:
    assert decode_base64(FORMS[form]) == CONTENT


WRONG = ["@@@@", "A", "QUJD=QUJD", "data:image/png,abc", "data:;base64", "é", "AAAA\0"]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_base64_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        decode_base64(text)
