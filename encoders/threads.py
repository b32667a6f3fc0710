"""The number of torch's threads in this process."""

from __future__ import annotations

import torch


def use_threads(threads: int) -> None:
    """Set the compute threads of the process; torch's default makes several workers slow each other down."""
    torch.set_num_threads(threads)
