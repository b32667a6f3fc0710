"""The product's API or worker with what some faults need: a clock that jumps, an encoder that dies.

python -m benchmarks.faults.process api|worker ...; FAULTS says which, `clock` or `poison`
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_process_init
from PIL import Image
from sqlalchemy.ext.compiler import compiles

from benchmarks.faults.poison import Poison, poison_of
from cli.main import main
from store.clock import now_s

SOFT_S, HARD_S = 6, 9  # in place of 90 and 120, so that an endless loop is not waited for so long


def jump_with_the_record() -> None:
    """Let the clock of the record stand as far off as the row in `faults_clock` says."""
    offset = "(SELECT seconds FROM faults_clock)"

    @compiles(now_s, "sqlite")
    def _sqlite(element: now_s, compiler: Any, **options: Any) -> str:
        return f"((julianday('now') - 2440587.5) * 86400.0 + {offset})"

    @compiles(now_s, "postgresql")
    def _postgresql(element: now_s, compiler: Any, **options: Any) -> str:
        return f"(extract(epoch from clock_timestamp())::double precision + {offset})"


class PoisonedEncoder:
    """An encoder over which some pictures kill the process, hang it, or raise."""

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self._poisons: dict[int, tuple[Any, Poison]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def prepare(self, picture: Image.Image, *arguments: Any) -> Any:
        poison = poison_of(picture)
        if poison is Poison.SEGFAULT:
            os.kill(os.getpid(), signal.SIGSEGV)
        if poison is Poison.OUT_OF_MEMORY:  # what the kernel's OOM killer does
            os.kill(os.getpid(), signal.SIGKILL)
        if poison is Poison.LOOP:
            while True:
                time.sleep(0.01)
        prepared = self._encoder.prepare(picture, *arguments)
        if poison is not None:
            self._poisons[id(prepared)] = prepared, poison
        return prepared

    def embed(self, prepared: Sequence[Any]) -> Any:
        poisons = {self._poisons.pop(id(one), (None, None))[1] for one in prepared}
        if Poison.RAISE in poisons:
            raise RuntimeError("the encoder cannot take this picture")
        if Poison.DEVICE_MEMORY in poisons and len(prepared) > 4:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB (simulated)")
        if Poison.DEVICE_ONCE in poisons and _first_time("raised"):
            raise RuntimeError("CUDA error: an illegal memory access was encountered (simulated)")
        if Poison.ABORT_ONCE in poisons and _first_time("aborted"):
            os.abort()
        return self._encoder.embed(prepared)


def poison_encoders(**_: Any) -> None:
    """Replace the encoders of this worker; runs in the pool's child, before it opens its tools."""
    import worker.tools

    opened = worker.tools.open_encoder
    worker.tools.open_encoder = lambda *args, **kwargs: PoisonedEncoder(opened(*args, **kwargs))


def shorten_time_limits() -> None:
    """Let a turn that hangs be ended after seconds."""
    import worker.process

    new_celery = worker.process.new_celery

    def shortened(url: str) -> Celery:
        app = new_celery(url)
        app.conf.update(task_soft_time_limit=SOFT_S, task_time_limit=HARD_S)
        return app

    worker.process.new_celery = shortened


def _first_time(what: str) -> bool:
    try:
        (Path(os.environ["EXEMPLAR_DATA"]) / what).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


if __name__ == "__main__":
    kind = os.environ.pop("FAULTS")
    if kind == "clock":
        jump_with_the_record()
    elif kind == "poison":
        worker_process_init.connect(poison_encoders, weak=False)
        shorten_time_limits()
    main()
