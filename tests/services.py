"""Services of their own, for tests that kill, stop or set up the whole of one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tiny import TINY

from cli.stack import Stack
from core.settings import Settings


@contextmanager
def running_service(folder: Path | None = None, **settings: str) -> Iterator[Stack]:
    """Run Redis, API and one worker as processes, with EXEMPLAR_* settings; its folder goes with it.

    Unless told otherwise it offers the tiny encoder alone.
    """
    folder = folder or Path(tempfile.mkdtemp(prefix="exemplar-service-"))
    settings = {"encoders": TINY, **settings}
    environment = {f"EXEMPLAR_{name.upper()}": value for name, value in settings.items()}
    stack = Stack(Settings(data=folder, port=0), workers=1, environment=environment)
    try:
        stack.start(lambda _: None)
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)
