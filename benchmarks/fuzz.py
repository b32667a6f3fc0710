"""Calls generated from the OpenAPI document, valid and invalid: no 5xx, each answer as the document says.

Each call is also made as from a foreign web page, by a foreign `Host` and by a foreign `Origin`, and must be
refused while there are no keys.

python -m benchmarks.fuzz
"""

from __future__ import annotations

import argparse
import random
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi import checks as openapi_checks

from benchmarks.common import emit, picture, service

CHECKS = [
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
]
REAL_SHARE = 0.8  # of the names in paths are of what is there, so that calls come further
Names = Mapping[str, list[str]]
SAFE = {"GET", "HEAD"}
REFUSALS = {403, 421}
NO_SUCH_CALL = {404, 405}
MAY_BE_DOWN = {"/readyz"}  # says 503 where no worker is


@dataclass
class Findings:
    """What was called, and what came that should not."""

    calls: int = 0
    foreign: int = 0
    """Calls as from a foreign page."""
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="of each call")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with (
        service(workers=1, max_wait_s="2") as stack,
        httpx.Client(base_url=stack.url, timeout=60) as client,
    ):
        schema = schemathesis.openapi.from_url(f"{stack.url}/openapi.json")
        found = fuzz(schema, lambda: names_of(client), examples=arguments.examples, seed_=arguments.seed)
        alive = client.get("/readyz").status_code
    for wrong in found.wrong:
        print(wrong)
    emit(
        "fuzz",
        calls=found.calls,
        as_foreign_page=found.foreign,
        seed=arguments.seed,
        wrong=len(found.wrong),
        server_errors=sum(count for status, count in found.statuses.items() if status >= 500),
        statuses=dict(sorted(found.statuses.items())),
        slowest_s=round(found.slowest_s, 2),
        slowest=found.slowest,
        ready_afterwards=alive,
    )


def names_of(client: httpx.Client) -> Names:
    """Create collections, a class, a support and ended jobs if they are gone; return their names."""
    client.post("/v1/collections", json={"name": "things"})
    client.post("/v1/collections", json={"name": "photos", "labels": "many"})
    client.post("/v1/collections/things/classes", json={"label": "cat"})
    jobs = []
    for call in ("enroll?label=dog", "classify"):
        headers = {"Content-Type": "image/png", "Prefer": "wait=5"}
        job = client.post(f"/v1/collections/things/{call}", content=picture(1), headers=headers).json()
        client.post(f"/v1/jobs/{job['id']}/cancel")  # one that goes on would be watched for long
        jobs.append(job["id"])
    supports = client.get("/v1/collections/things/supports").json()["items"]
    ids = [str(support["id"]) for support in supports]
    return {
        "collection": ["things", "things", "photos"],
        "label": ["cat", "dog"],
        "support_id": ids or ["1"],
        "job_id": jobs,
        "item": ["0"],
        "version": ["0", "1", "first"],
        "key_id": ["0123456789ab"],
        "erasure_id": ["0" * 32],
        "contribution_id": ["1"],
    }


def fuzz(schema: Any, names: Callable[[], Names], *, examples: int, seed_: int) -> Findings:
    """Make so many calls of each operation and return what came of them."""
    load_all_checks()
    found = Findings()
    chance = random.Random(seed_)
    known: Names = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        if (
            operation.path == "/v1/import"
        ):  # its body is a file that nothing makes up; its own tests break one
            continue
        known = known or names()
        for mode in _modes(operation):
            _fuzz_operation(operation, mode, known, found, chance, examples=examples // 2, seed_=seed_)
        if operation.method.upper() not in SAFE:  # it may have deleted what they name
            known = {}
    return found


def _fuzz_operation(
    operation: Any,
    mode: Any,
    names: Names,
    found: Findings,
    chance: random.Random,
    *,
    examples: int,
    seed_: int,
) -> None:
    @seed(seed_)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        for name in case.path_parameters or {}:
            if chance.random() < REAL_SHARE:
                case.path_parameters[name] = chance.choice(names[name])
        _call(case, found)

    with warnings.catch_warnings(), suppress(Unsatisfiable):  # some calls have nothing that could be invalid
        warnings.simplefilter("ignore")
        call()


def _modes(operation: Any) -> list[Any]:
    """Return what may be made up: any text fits a path, so only queries and bodies can be invalid."""
    modes = [schemathesis.GenerationMode.POSITIVE]
    if list(operation.query) or list(operation.body):
        modes.append(schemathesis.GenerationMode.NEGATIVE)
    return modes


def _call(case: Any, found: Findings) -> None:
    where = f"{case.method} {case.path}"
    start = time.perf_counter()
    try:
        response = case.call(timeout=60)
    except ValueError:  # a header that HTTP itself cannot say
        return
    took_s = time.perf_counter() - start
    if took_s > found.slowest_s:
        found.slowest_s, found.slowest = took_s, where
    found.calls += 1
    found.statuses[response.status_code] += 1
    _call_from_elsewhere(case, found, response.status_code)
    if response.status_code >= 500 and case.path not in MAY_BE_DOWN:
        _note(found, f"{where}: {response.status_code}: {case.as_curl_command()}")
        return
    try:
        case.validate_response(response, checks=CHECKS)
    except Exception as error:  # schemathesis groups what it finds
        _note(found, f"{where}: {response.status_code}: {error}: {case.as_curl_command()}")


def _call_from_elsewhere(case: Any, found: Findings, own: int) -> None:
    """Repeat a call as a browser makes it for a foreign page; it must be refused."""
    page = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    tries = [{"Host": "evil.example"}] + ([] if case.method.upper() in SAFE else [page])
    for headers in tries:
        try:
            status = case.call(timeout=60, headers=headers).status_code
        except ValueError:
            return
        found.foreign += 1
        if status not in REFUSALS and not (status == own and own in NO_SUCH_CALL):
            _note(found, f"{case.method} {case.path}: {status} for a foreign page by {headers}")


def _note(found: Findings, what: str) -> None:
    if len(found.wrong) < 50:
        found.wrong.append(what[:1500])


if __name__ == "__main__":
    main()
