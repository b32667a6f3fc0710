"""Print docs/licences.md: `python -m deploy.licences`, in the environment of `make test`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from deploy.images.sbom import licence_of

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-api.lock", "requirements-worker-gpu.lock")
HEAD = """# Licences

Exemplar is under Apache-2.0 ([LICENSE](../LICENSE)). This page is written by `python -m deploy.licences`.
Each image has the full list of what is in it, with Debian's packages, in `/opt/venv/sbom.cdx.json`
(CycloneDX).

## Weights

| weights | comes with | licence |
|---|---|---|
| `efficientnet_lite2` (EfficientNet-Lite2, trained on ImageNet-1k) | the extra `worker` | Apache-2.0 |
| `efficientnet_lite0` (EfficientNet-Lite0, trained on ImageNet-1k) | the extra `lite0` | Apache-2.0 |

Others, as CLIP, BEiT and DINOv2, are downloaded from the hub when you name them; their licences stand there.

## Packages

Those of `.[all]` and of the images. NVIDIA's, under its own terms, are in the environment of `make demo`, in
`exemplar-worker-gpu`, and three of them in `exemplar-worker`; none in `exemplar-api`. `pi-heif` bundles
libheif and libde265, LGPL-3.0.

| package | version | licence |
|---|---|---|"""


def locked() -> list[tuple[str, str]]:
    """Return names and versions of the packages of `.[all]` and of the images."""
    text = "\n".join((ROOT / lock).read_text() for lock in LOCKS)
    return sorted(set(re.findall(r"^([a-z0-9.-]+)==(\S+)", text, re.MULTILINE)))


def rows() -> Iterator[str]:
    """Yield a row for each locked package."""
    for name, version in locked():
        try:
            found = distribution(name)
        except PackageNotFoundError:  # for another system
            continue
        if found.version == version:
            yield f"| {name} | {version} | {licence_of(found).replace('|', '/')[:90] or 'see the package'} |"


if __name__ == "__main__":
    print(HEAD)
    print("\n".join(rows()))
