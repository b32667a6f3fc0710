"""How many threads torch uses in this process."""

from __future__ import annotations

import torch


def use_threads(threads: int) -> None:
    """Set the compute threads of the process; several workers with torch's default slow each other down."""
    torch.set_num_threads(threads)
