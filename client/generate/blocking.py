"""Makes the blocking client from the asynchronous one, word by word, as httpcore does."""

from __future__ import annotations

import re

from client.generate.types import NOTE

TWINS = ("transport", "job", "calls", "exemplar")
_WORDS = (
    (r"\bAsync(?=[A-Z])", ""),
    (r"\basync_(?=[a-z])", ""),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\basync (?=def|with|for)", ""),
    (r"\bawait ", ""),
    (r"\b__a(?=enter__|exit__)", "__"),
    (r"\ba(?=close\b|read\b|iter_bytes\b|iter_lines\b)", ""),
    (r"\bimport asyncio\n((?:.*\n)*?)import time\n", r"import time\n\1"),
    (r"\basyncio\b", "time"),
)


def blocking(source: str) -> str:
    """Return a module of the asynchronous client as that of the blocking one."""
    for pattern, by in _WORDS:
        source = re.sub(pattern, by, source)
    return source if NOTE in source else source.replace("\n\n", f"\n\n{NOTE}\n", 1)
