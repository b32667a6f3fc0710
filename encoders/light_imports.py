"""Imports of timm, torchvision and open_clip without torch's compiler, which takes longer than they do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import torch

COMPILER = "torch._dynamo"
UTILS = f"{COMPILER}.utils"  # torchvision takes one function of it while it is imported


@contextmanager
def compiler_left_out() -> Iterator[None]:
    """Keep the adapters' libraries from importing torch's compiler, which nothing here uses.

    They import it to exclude functions from compilation (`torch.compiler.disable`) and to ask for what it
    supports. It took 1.0 of the 1.4 s of CPU time that timm took. Whoever compiles later imports it as ever.
    """
    if COMPILER in sys.modules:
        yield
        return
    disable = torch.compiler.disable
    stand_in = _Utils(UTILS)
    sys.modules[UTILS] = stand_in
    torch.compiler.disable = _undecorated
    try:
        yield
    finally:
        torch.compiler.disable = disable
        if sys.modules.get(UTILS) is stand_in:
            del sys.modules[UTILS]


class _Utils(ModuleType):
    """Stands in for the module until something other than torchvision's function is wanted of it."""

    @staticmethod
    def is_compile_supported(_device: str) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system asks of any module
            raise AttributeError(name)
        if sys.modules.get(UTILS) is self:
            del sys.modules[UTILS]
        return getattr(import_module(UTILS), name)


def _undecorated(fn: Any = None, recursive: Any = True, *, reason: Any = None) -> Any:
    """Decorate as `torch.compiler.disable` does, with or without arguments, and change nothing."""
    return fn if fn is not None else lambda decorated: decorated
