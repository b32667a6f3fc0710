"""How many of the answers that a near twin contradicts are wrong.

    python -m benchmarks.near_twins [--classes 20] [--examples 5] [--pictures 100]

Pictures of every fourth class of `shared/data/sports80-128px.zip`, with the default encoder and rule. JSON:
the known answers, those of them that a near twin contradicts, as many of the known answers by value without
twins, and which share of each is wrong.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.common import DEFAULT, SHARED, emit
from cli.folders import embed_folder
from cli.left_out import LeftOut
from core.answer_order import review_value
from core.answers import as_json
from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind, DecisionName, Rule, Views
from core.twins import contradicted, sketches
from encoders import open_encoder
from index.decide import classify
from index.replica import Replica

PICTURES = SHARED / "data" / "sports80-128px.zip"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--examples", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=100)
    asked = parser.parse_args()
    if not PICTURES.exists():
        raise SystemExit(f"{PICTURES} is not there")
    encoder = open_encoder(DEFAULT)
    with tempfile.TemporaryDirectory() as folder:
        unpack(Path(folder), asked.classes, asked.examples, asked.pictures)
        supports, queries = (
            embed_folder(encoder, Path(folder) / part, Views.ONE, LeftOut(), class_from=None)
            for part in ("support", "query")
        )
    replica = Replica(supports.vectors.shape[1])
    ids = {label: number for number, label in enumerate(supports.classes, 1)}
    classes = [ClassChange(number, label, ClassKind.NORMAL) for label, number in ids.items()]
    of_label = zip(supports.labels, supports.vectors, strict=True)
    changes = [SupportChange(n, ids[label], vector) for n, (label, vector) in enumerate(of_label, 1)]
    replica.apply(Changes(1, classes, changes))
    answers = classify(replica, Rule(), queries.vectors, top=5)
    wrong = np.array([a.label != label for a, label in zip(answers, queries.labels, strict=True)])
    known = np.array([a.decision is DecisionName.KNOWN for a in answers])
    twins = known & contradicted(sketches(queries.vectors), [a.label for a in answers])
    values = np.array([review_value(as_json(a)) for a in answers])
    first = np.argsort(-np.where(known, values, -1.0), kind="stable")[: twins.sum()]
    emit(
        "near_twins",
        pictures=len(answers),
        classes=len(ids),
        known=int(known.sum()),
        contradicted=int(twins.sum()),
        wrong_of_known=round(float(wrong[known].mean()), 3),
        wrong_of_contradicted=round(float(wrong[twins].mean()), 3),
        wrong_of_first_without_twins=round(float(wrong[first].mean()), 3),
    )


def unpack(folder: Path, classes: int, examples: int, pictures: int) -> None:
    """Write the first pictures of each class as `support/CLASS/` and the next ones as `query/CLASS/`."""
    with zipfile.ZipFile(PICTURES) as archive:
        of_class = defaultdict(list)
        for name in sorted(archive.namelist()):
            if name.lower().endswith(".jpg"):
                of_class[Path(name).parent.name].append(name)
        for label in sorted(of_class)[::4][:classes]:
            for place, name in enumerate(of_class[label][: examples + pictures]):
                path = folder / ("support" if place < examples else "query") / label / Path(name).name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(name))


if __name__ == "__main__":
    main()
