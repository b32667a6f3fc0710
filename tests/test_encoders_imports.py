"""What opening an encoder imports: not torch's compiler, of which whoever wants it still gets all."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tiny import TINY

from encoders.openvino_forward import is_installed

pytestmark = pytest.mark.processes


# one process for all, since importing torch and timm takes longer than the rest
SCRIPT = f"""
import os, sys, torch
from encoders import open_encoder
from encoders.light_imports import compiler_left_out
from encoders.openvino_forward import is_installed
disable = torch.compiler.disable
open_encoder('{TINY}', device='cpu', runtime='torch')
assert 'timm' in sys.modules and 'torch._dynamo' not in sys.modules
assert torch.compiler.disable is disable
assert 'openvino' not in sys.modules

if os.fork() == 0:
    assert torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)).item() == 2
    print('used', flush=True)
    os._exit(0)
os.wait()

with compiler_left_out():
    from torch._dynamo.utils import counters
    assert torch.compiler.disable(len) is len
    import torch._dynamo
assert torch._dynamo.utils.counters is counters
assert torch._dynamo.utils.is_compile_supported('cpu') in (True, False)
assert torch._dynamo.utils.__file__
print('needed', flush=True)

if is_installed():
    open_encoder('{TINY}', device='cpu')
    assert 'openvino' in sys.modules
    assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]
    print('translated')
"""


@pytest.fixture(scope="module")
def ran() -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)


def test_compiler_is_not_imported_and_can_be_used_afterwards(ran: subprocess.CompletedProcess[str]) -> None:
    assert "used" in ran.stdout.splitlines(), ran.stderr


def test_library_that_needs_more_of_the_compiler_gets_it(ran: subprocess.CompletedProcess[str]) -> None:
    assert "needed" in ran.stdout.splitlines(), ran.stderr


# not importorskip: unless the product imports it, OpenVINO forks a process for each event that it reports
@pytest.mark.skipif(not is_installed(), reason="OpenVINO is not installed")
def test_openvino_is_imported_where_it_is_used_and_reports_to_no_one(
    ran: subprocess.CompletedProcess[str],
) -> None:
    assert "translated" in ran.stdout.splitlines(), ran.stderr
    assert ran.returncode == 0, ran.stderr
