"""Accuracy on 20 sports, held out from everything, by both rules and metrics.

python -m benchmarks.accuracy [--encoder SPEC]

Reads ../shared/data/sports20 and says so where it is not there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from benchmarks.common import SHARED, emit

FOLDER = SHARED / "data" / "sports20"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="compact")
    encoder = parser.parse_args().encoder
    if not FOLDER.is_dir():
        raise SystemExit("../shared/data/sports20 is not here; nothing was measured")
    for rule, metric in (("nearest", "cosine"), ("prototype", "cosine"), ("prototype", "mse")):
        command = [sys.executable, "-m", "cli.main", "evaluate", "--json", "--encoder", encoder]
        command += ["--support", str(FOLDER / "support"), "--query", str(FOLDER / "query")]
        command += ["--rule", rule, "--metric", metric]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        outcome = json.loads(out)
        for result in outcome["results"]:
            averages = {name: result["report"][name] for name in ("macro avg", "weighted avg")}
            emit(
                "sports20",
                encoder=outcome["encoder"],
                rule=outcome["rule"],
                classes=outcome["classes"],
                queries=outcome["queries"],
                **{name: result[name] for name in ("shots", "draws", "accuracy_mean", "accuracy", "ece")},
                **averages,
            )


if __name__ == "__main__":
    main()
