"""How large the code is, what imports itself in a circle, and how many modules one classified picture passes.

python -m benchmarks.structure [--call]

JSON lines: lines of Python of the library, its tests and benchmarks, sizes of its files and functions, and
import cycles. With `--call` a picture is enrolled and another is classified by an API and a worker in this
process, and the modules are listed in which code ran between the call and its answer.
"""

from __future__ import annotations

import argparse
import ast
import logging
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import structlog

from benchmarks.common import LITE0, emit, picture

ROOT = Path(__file__).parents[1]
LIBRARY = ("api", "cli", "client", "core", "encoders", "formats", "index", "runtime", "store", "worker")
GENERATED = "# Generated; `make generate` writes it."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--call", action="store_true", help="also follow one call")
    arguments = parser.parse_args()
    for part, folders in (("library", LIBRARY), ("tests", ("tests",)), ("benchmarks", ("benchmarks",))):
        emit("structure", part=part, **sizes(folders))
    emit("structure_cycles", cycles=cycles())
    if arguments.call:
        passed = modules_of_a_call()
        emit("structure_call", modules=len(passed), names=passed)


def sizes(folders: tuple[str, ...]) -> dict[str, Any]:
    """Return lines of files and functions; those of generated files and migrations are counted apart."""
    written: dict[str, int] = {}
    functions: dict[str, int] = {}
    apart = 0
    for path in sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        text, name = path.read_text(), str(path.relative_to(ROOT))
        if GENERATED in text or "migrations/versions" in name:
            apart += text.count("\n")
            continue
        written[name] = text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions[f"{name}:{node.name}"] = (node.end_lineno or node.lineno) - node.lineno + 1
    return {
        "lines": sum(written.values()),
        "generated_and_migrations": apart,
        "files": len(written),
        "median_file": median(written.values()),
        "largest_files": largest(written),
        "median_function": median(functions.values()),
        "largest_functions": largest(functions),
    }


def largest(sizes: dict[str, int], count: int = 5) -> dict[str, int]:
    """Return the largest few, largest first."""
    return dict(sorted(sizes.items(), key=lambda pair: -pair[1])[:count])


def cycles() -> list[list[str]]:
    """Return groups of modules that import each other when they are loaded, directly or through others."""
    import grimp

    packages = ["exemplar_client" if name == "client" else name for name in LIBRARY]
    graph = grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)
    after = {module: graph.find_downstream_modules(module) for module in graph.modules}
    groups = {tuple(sorted({module, *(o for o in after[module] if module in after[o])})) for module in after}
    return sorted(list(group) for group in groups if len(group) > 1)


def modules_of_a_call() -> list[str]:
    """Return the modules of the library in which code ran for one classified picture, from call to answer."""
    from api.app import create_app
    from core.jobs import Lane
    from core.settings import Settings
    from store.migrate import ensure_schema
    from store.store import open_store
    from worker.pipeline import run_pipeline
    from worker.tools import open_tools

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    threading.setprofile(_follow)  # before the threads of the worker are made
    with tempfile.TemporaryDirectory() as folder:
        away = f"unix://{folder}/absent.sock"
        settings = Settings(
            data=Path(folder), encoders=(LITE0,), runtime="torch", precision="fp32", redis_url=away
        )
        store = open_store(settings)
        ensure_schema(store.database)
        (tools,) = open_tools(settings, "worker", [LITE0], [Lane.INTERACTIVE])
        transport = httpx.WSGITransport(app=create_app(settings, store, needs_key=False))
        with httpx.Client(transport=transport, base_url="http://localhost") as client:

            def work() -> None:
                run_pipeline(tools, LITE0)

            client.post("/v1/collections", json={"name": "things", "encoder": LITE0}).raise_for_status()
            _submit(client, "enroll?label=one", 1, work)
            _passed.clear()
            sys.setprofile(_follow)
            _submit(client, "classify", 2, work)
            sys.setprofile(None)
            return sorted(_passed)


def _submit(client: httpx.Client, call: str, number: int, work: Callable[[], None]) -> None:
    headers = {"Content-Type": "image/png", "Prefer": "respond-async"}
    job = client.post(f"/v1/collections/things/{call}", content=picture(number), headers=headers).json()
    work()
    (result,) = client.get(f"/v1/jobs/{job['id']}/results").json()["items"]
    assert result["status"] == "done", result


_passed: set[str] = set()


def _follow(frame: Any, event: str, _: object) -> None:
    if event == "call" and frame.f_code.co_name != "<module>":
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] in LIBRARY:
            _passed.add(name)


if __name__ == "__main__":
    main()
