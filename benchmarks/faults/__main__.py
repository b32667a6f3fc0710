"""Faults put to the real processes of a service: what is lost, what is doubled, how long it takes.

python -m benchmarks.faults --scale full
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.common import emit
from benchmarks.faults import of_load, of_queue, of_record, of_replicas, of_reviews, of_workers
from benchmarks.faults.postgres import Postgres
from benchmarks.faults.site import Site
from benchmarks.faults.trial import Scenario, Trial

MODULES = (of_workers, of_queue, of_record, of_replicas, of_reviews, of_load)
SCENARIOS = sorted((s for module in MODULES for s in module.SCENARIOS), key=lambda s: int(s.name[1:]))
DATABASES = ("sqlite", "postgres")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="F1,F4 say; all where it is not given")
    parser.add_argument("--databases", default=",".join(DATABASES))
    parser.add_argument("--scale", choices=("small", "full"), default="small")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--logs", type=Path, help="folder for the logs of scenarios that failed")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",") if arguments.only else [scenario.name for scenario in SCENARIOS]
    chosen = [scenario for scenario in SCENARIOS if scenario.name in wanted]
    databases = arguments.databases.split(",")
    if len(chosen) != len(wanted) or set(databases) - set(DATABASES):
        parser.error(f"expected some of {', '.join(s.name for s in SCENARIOS)}, on {', '.join(DATABASES)}")
    print(f"seed {arguments.seed}", file=sys.stderr)
    postgres = Postgres() if "postgres" in databases else None
    lines: list[dict] = []
    try:
        for database in databases:
            server = postgres if database == "postgres" else None
            for group in _by_plan(chosen):
                lines += run(
                    group,
                    database,
                    server,
                    seed=arguments.seed,
                    full=arguments.scale == "full",
                    logs=arguments.logs,
                )
    finally:
        if postgres is not None:
            postgres.close()
    _show(lines)
    sys.exit(any(line["verdict"] == "FAIL" for line in lines))


def run(
    group: list[Scenario],
    database: str,
    postgres: Postgres | None,
    *,
    seed: int,
    full: bool,
    logs: Path | None,
) -> list[dict]:
    """Run scenarios of one plan one after the other on one site; return and print a line for each.

    `logs` gets the logs where one failed.
    """
    with nullcontext("") if postgres is None else postgres.database() as url:
        try:
            site = Site(group[0].plan, url, postgres)
        except PermissionError as error:
            return [_print(_skipped(scenario, database, str(error)), seed, full) for scenario in group]
        try:
            site.start()
            trials = [
                Trial(scenario, site, database, random.Random(f"{seed} {scenario.name} {database}"), full)
                for scenario in group
            ]
            for trial in trials:
                trial.run()
            site.stop()
            lines = [_print(trial.figures(), seed, full) for trial in trials]
            if logs is not None and any(line["verdict"] == "FAIL" for line in lines):
                shutil.copytree(site.logs, logs / f"{group[0].name}-{database}", dirs_exist_ok=True)
            return lines
        except TimeoutError as error:
            print(error, file=sys.stderr)
            failed = {"verdict": "FAIL", "wrong": ["the site did not start in time"]}
            return [_print(_skipped(s, database, "") | failed, seed, full) for s in group]
        finally:
            site.stop()
            site.remove()


def _by_plan(scenarios: list[Scenario]) -> list[list[Scenario]]:
    """Put those that need the same kind of site together: starting one takes longer than many a fault."""
    plans = list({repr(scenario.plan): None for scenario in scenarios})
    return [[scenario for scenario in scenarios if repr(scenario.plan) == plan] for plan in plans]


def _print(line: dict, seed: int, full: bool) -> dict:
    emit("faults", seed=seed, scale="full" if full else "small", **line)
    return line


def _skipped(scenario: Scenario, database: str, why: str) -> dict:
    zeros = dict.fromkeys(("faults", "items", "lost", "doubled", "worst_recovery_s"), 0)
    named = {"scenario": scenario.name, "title": scenario.title, "database": database}
    return {**named, **zeros, "verdict": "skipped", "wrong": [], "notes": [why]}


def _show(lines: list[dict]) -> None:
    columns = (
        "scenario",
        "title",
        "database",
        "faults",
        "items",
        "lost",
        "doubled",
        "worst_recovery_s",
        "verdict",
    )
    table = Table(*columns)
    lines = sorted(lines, key=lambda line: int(line["scenario"][1:]))
    for line in lines:
        table.add_row(*(str(line[column]) for column in columns))
    sums = {name: sum(line[name] for line in lines) for name in ("faults", "items", "lost", "doubled")}
    worst = max((line["worst_recovery_s"] for line in lines), default=0)
    table.add_section()
    table.add_row("all", "", "", *(str(n) for n in sums.values()), str(worst), "")
    Console(file=sys.stderr, width=120).print(table)
    emit("faults_summary", **sums, worst_recovery_s=worst, failed=_failed(lines))


def _failed(lines: list[dict]) -> list[str]:
    return [
        f"{line['scenario']} {line['database']}: {json.dumps(line['wrong'])}"
        for line in lines
        if line["wrong"]
    ]


if __name__ == "__main__":
    main()
