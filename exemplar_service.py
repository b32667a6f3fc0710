"""Starts the commands: `exemplar`, or `python -m exemplar_service`.

A wheel keeps the packages `api`, `cli`, `core` and so on in `_exemplar_service/`, so that no environment gets
top-level packages of those names, and this module puts that folder on the path. A checkout has them on top.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

GC_AFTER = 10_000
"""New objects before a garbage collection, not 700: a fifth of the CPU time of a start went into them."""

_PACKAGES = Path(__file__).with_name("_exemplar_service")
if _PACKAGES.is_dir():
    sys.path.insert(0, str(_PACKAGES))


def main() -> None:
    """Run the command that the arguments name."""
    gc.set_threshold(GC_AFTER)
    from cli.main import main as run  # noqa: PLC0415 - found only on the path that is set above

    run()


if __name__ == "__main__":
    main()
