"""From a fresh clone to the end of `make demo`, and of `make test` with --test.

python -m benchmarks.fresh_clone
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.common import emit

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", action="store_true")
    target = "test" if parser.parse_args().test else "demo"
    with tempfile.TemporaryDirectory(prefix="exemplar-clone-") as folder:
        clone = Path(folder) / "exemplar"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        os.environ |= {"UV_CACHE_DIR": f"{folder}/cache", "PIP_NO_CACHE_DIR": "1"}  # nothing fetched before
        stamp = ".venv/.installed" if target == "demo" else ".venv/.installed-dev"
        install_s = _timed(["make", "-C", str(clone), stamp])
        first_s = _timed(["make", "-C", str(clone), target])
        second_s = _timed(["make", "-C", str(clone), target])
    emit(
        f"fresh_clone_to_make_{target}",
        install_s=install_s,
        first_run_s=first_s,
        second_run_s=second_s,
        in_all_s=round(install_s + first_s, 1),
    )


def _timed(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - begun, 1)


if __name__ == "__main__":
    main()
