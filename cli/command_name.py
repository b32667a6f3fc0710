"""How this installation's command is typed, for hints that can be pasted."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

NAME = "exemplar"


def command_name() -> str:
    """Return `exemplar` if that starts this installation, else the path of its script.

    Tools such as `uv tool` and `pipx` put a link on the PATH, so links are followed.
    """
    folder = Path(sys.prefix, "bin")
    found = shutil.which(NAME)
    running = Path(sys.argv[0]).resolve()  # in the image it lies in a folder of its own
    if found is not None and (
        Path(found).resolve() == running or Path(found).resolve().parent == folder.resolve()
    ):
        return NAME
    script = folder / NAME
    if not script.is_file():
        return f"{shlex.quote(sys.executable)} -m exemplar_service"
    here = Path.cwd()
    return shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))
