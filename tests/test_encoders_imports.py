"""Encoders are opened without torch's compiler, and whoever wants the compiler still gets all of it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tiny import TINY

pytestmark = pytest.mark.processes


def check(script: str) -> None:
    subprocess.run([sys.executable, "-c", script], check=True)


def test_compiler_is_not_imported_and_can_be_used_afterwards() -> None:
    check(
        "import sys, torch; from encoders import open_encoder; disable = torch.compiler.disable\n"
        f"open_encoder('{TINY}', device='cpu', runtime='torch')\n"
        "assert 'timm' in sys.modules and 'torch._dynamo' not in sys.modules\n"
        "assert torch.compiler.disable is disable\n"
        "assert torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)).item() == 2"
    )


def test_library_that_needs_more_of_the_compiler_gets_it() -> None:
    check(
        "import torch; from encoders.light_imports import compiler_left_out\n"
        "with compiler_left_out():\n"
        "    from torch._dynamo.utils import counters\n"
        "    assert torch.compiler.disable(len) is len\n"
        "    import torch._dynamo\n"
        "assert torch._dynamo.utils.counters is counters\n"
        "assert torch._dynamo.utils.is_compile_supported('cpu') in (True, False)\n"
        "assert torch._dynamo.utils.__file__"
    )
