"""Erasure by a worker process that is killed: another one finishes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from enrolling import enroll
from tiny import DEFAULT
from waiting import until

from core.collections import Rule
from core.jobs import ErasureState, Item
from core.settings import Settings
from store.erasure.phases import advance
from store.erasure.targets import Wanted
from store.store import Store, open_store

pytestmark = pytest.mark.processes

WORK = """
import sys, time
from pathlib import Path
from core.settings import Settings
from store.erasure import phases
from store.store import open_store
phases.SUPPORTS_AT_ONCE = 1
store = open_store(Settings(data=Path(sys.argv[1]), database_url=sys.argv[2]))
held = store.erasures.claim("w:1")
while phases.advance(held, store.blobs, lambda content, items: content):
    print(held.phase, held.position, flush=True)
    time.sleep(0.02)
"""


@pytest.mark.parametrize("steps", [1, 4, 9, 12])
def test_erasure_goes_on_after_kill_9(settings: Settings, store: Store, steps: int) -> None:
    store.collections.create("things", DEFAULT, Rule())
    items = [Item(n, f"{n:064}", "cat", external_id="who" if n < 8 else f"p{n}") for n in range(12)]
    enroll(store, *items)
    begun = store.erasures.begin(Wanted(external_id="who"), ["things"], key_id="k", request_id=None)
    command = [sys.executable, "-c", WORK, str(settings.data), settings.record_url]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        for _ in range(steps):
            assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert store.erasures.get(begun.id).state is ErasureState.RUNNING

    again = open_store(settings)
    again.erasures.expire_leases("w")
    held = again.erasures.claim("v:1")
    assert held is not None
    until(lambda: not advance(held, again.blobs, lambda content, _: content))
    receipt = again.erasures.get(begun.id)
    assert (receipt.is_complete, receipt.counts["supports"]) == (True, 8)
    assert [one.external_id for one in again.supports.page("things")] == [f"p{n}" for n in range(8, 12)]
    again.database.close()
