"""A file that is only written to, and gives away what has been written."""

from __future__ import annotations


class Sink:
    """Where an archive or a table is written that is sent while it is made, so that none of it is kept."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0
        """Of what is still to be given away."""

    def write(self, content: bytes) -> int:
        """Take bytes."""
        self._parts.append(bytes(content))
        self.size += len(content)
        return len(content)

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        parts, self._parts, self.size = self._parts, [], 0
        return b"".join(parts)

    def flush(self) -> None:
        """Everything is given away as it comes."""

    def close(self) -> None:
        """There is nothing to close."""
