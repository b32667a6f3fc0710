"""One run in several processes: each takes its share of every batch, and gradients are averaged.

Processes of one thread wait for each other once a step; threads of one process wait after each layer, which
on a machine that does other work as well costs two to four times.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import distributed, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class Share:
    """Which of how many processes this one is; the first one reports and saves."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that reports and saves."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return the module whose backward pass averages gradients over all processes."""
        # batch statistics stay apart: only those of the first process are kept
        return DistributedDataParallel(module, forward_sync_buffers=False) if self.count > 1 else module


def run_shared(work: Callable[[Share], None], count: int, folder: Path) -> None:
    """Run the work in `count` processes of one thread each, or in this one where it is 1."""
    if count == 1:
        return work(Share())
    meeting = folder / f"meeting-{os.getpid()}"
    spawn(_process, (work, count, meeting), count)  # type: ignore[no-untyped-call]
    return meeting.unlink(missing_ok=True)


def _process(rank: int, work: Callable[[Share], None], count: int, meeting: Path) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting.absolute()}", rank=rank, world_size=count
    )
    work(Share(rank, count))
    distributed.destroy_process_group()


def _end_with_parent() -> None:
    # a parent that is killed takes its processes along: two of them must never write one run
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
