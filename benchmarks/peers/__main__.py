"""Embeddings a second, one picture alone, memory and start time of this service and of comparable projects.

python -m benchmarks.peers [--system NAME ...] [--rounds N] [--markdown]

All compute ViT-B/32 with the same random, seeded weights on the same photographs (../shared/data/sports20, or
digits where it is not there), one system at a time, in turns; medians of the rounds. Each peer has a virtual
environment of its own, outside the repository, which is made on the first run: with torch and its CUDA
libraries it takes 6 GB, less where uv can link its cache. A peer that cannot be installed or does not run is
named with the reason. Memory is the highest sum of the resident memory of all processes of a system. A
server's start ends with its first answer. The least cosine to torch in fp32, relative to the mean, shows that
a system computes the same network.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.bulk_inputs import QUERIES
from benchmarks.common import emit, percentiles, picture
from benchmarks.peers.environments import CACHE, NotInstalledError, python_of, versions_in
from benchmarks.peers.measuring import COMPARED, Bench, Figures
from benchmarks.peers.systems import BY_NAME, SYSTEMS, System
from benchmarks.peers.table import markdown
from benchmarks.peers.watching import Watch
from benchmarks.peers.weights import least_cosine, make_weights
from core.vectors import Vectors

PICTURES = 512


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--system", action="append", choices=BY_NAME, help="all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of calls without pause")
    parser.add_argument("--asks", type=int, default=30, help="pictures asked alone")
    parser.add_argument("--items", type=int, default=200, help="files, for systems that take files")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where the environments are")
    parser.add_argument("--markdown", action="store_true", help="end with a table")
    asked = parser.parse_args()
    systems = [BY_NAME[name] for name in asked.system] if asked.system else list(SYSTEMS)
    with tempfile.TemporaryDirectory(prefix="exemplar-peers-") as name:
        folder = Path(name)
        weights = make_weights(folder)
        contents = _contents()
        bench = Bench(contents, weights, folder, asked.seconds, asked.asks, asked.items)
        pythons = _environments(systems, bench, asked.cache)
        exact = weights.exact(contents[:COMPARED])
        installed = [system for system in systems if system.name in pythons]
        found = run_rounds(installed, pythons, bench, exact, asked.rounds)
        lines = [_summary(system, pythons, found[system.name]) for system in systems if system.name in found]
    if asked.markdown:
        print(markdown(lines))


def _contents() -> list[bytes]:
    files = sorted(QUERIES.glob("*/*.jpg"))
    if not files:
        emit("peers", note="no ../shared/data: digits stand in for photographs")
        return [picture(n, 224) for n in range(PICTURES)]
    return [file.read_bytes() for file in files[:: max(1, len(files) // PICTURES)]]


def _environments(systems: list[System], bench: Bench, cache: Path) -> dict[str, Path]:
    """Return the interpreter of each system that can be installed and prepared."""
    found = {}
    for system in systems:
        name = system.environment
        try:
            python = Path(sys.executable) if name is None else python_of(name, cache)
            system.prepare(bench, python)
            found[system.name] = python
        except (NotInstalledError, subprocess.CalledProcessError) as error:
            emit("peers", skipped=system.name, reason=str(error))
    return found


def run_rounds(
    systems: list[System], pythons: dict[str, Path], bench: Bench, exact: Vectors, rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Measure all systems in turns; return the lines of each that runs here."""
    found: dict[str, list[dict[str, float]]] = {}
    failed: set[str] = set()
    for number in range(rounds):
        for system in systems:
            if system.name in failed:
                continue
            try:
                with Watch() as watch:
                    figures = system.measure(bench, pythons[system.name])
            except Exception as error:  # the boundary to other people's programs
                failed.add(system.name)
                reason = f"{type(error).__name__}: {error}"[:500]
                emit("peers", skipped=system.name, reason=f"it did not run: {reason}")
                continue
            line = _figures(figures, watch.peak_mib, exact)
            found.setdefault(system.name, []).append(line)
            emit("peers_round", round=number + 1, system=system.name, **line, load=os.getloadavg()[0])
    return {name: lines for name, lines in found.items() if name not in failed}


def _figures(figures: Figures, peak_mib: int, exact: Vectors) -> dict[str, float]:
    line = {"per_s": round(figures.per_s, 1), "start_s": round(figures.start_s, 1), "peak_mib": peak_mib}
    if figures.alone_ms:
        line.update({f"alone_{name}_ms": value for name, value in percentiles(figures.alone_ms).items()})
    if figures.vectors is not None:
        line["least_cosine"] = least_cosine(exact, figures.vectors)
    return line


def _summary(system: System, pythons: dict[str, Path], rounds: list[dict[str, float]]) -> dict[str, object]:
    middle = {name: round(median(line[name] for line in rounds), 4) for name in rounds[0]}
    line: dict[str, object] = {
        "system": system.name,
        "how": system.how,
        "rounds": len(rounds),
        **middle,
        "versions": versions_in(pythons[system.name], system.packages),
    }
    emit("peers", **line)
    return line


if __name__ == "__main__":
    main()
