"""Names of files as text: for people, and as the external ids of enrolled pictures."""

from __future__ import annotations

from pathlib import Path, PurePath

from cli.tag.listing import printable
from core.caller_fields import MAX_ID
from formats.names import printable_text


def shown_name(path: PurePath) -> str:
    """Return a path as text that any output can hold; bytes that are not UTF-8 are written as escapes."""
    return printable(str(path))


def external_id(name: str) -> str:
    """Return a file's name as an external id: without control characters, and the end of a long one."""
    return printable_text(printable(name))[-MAX_ID:]


def relative_name(file: Path, given: Path) -> str:
    """Return a picture's path relative to the folder that was given, with the name of its class folder.

    A file that was given itself keeps the path as it was typed, or if that does not lead down from here, its
    folder and its name.
    """
    if file == given:
        leads_down = not file.is_absolute() and ".." not in file.parts
        return str(file if leads_down else Path(file.absolute().parent.name, file.name))
    below = file.relative_to(given)
    return str(below if len(below.parts) > 1 else Path(given.absolute().name, below))
