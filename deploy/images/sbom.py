"""Print what an image consists of, as CycloneDX 1.6: `python sbom.py IMAGE VERSION < PACKAGES`.

Python packages of this environment with licences, and Debian packages of the base image. PACKAGES has lines
of name, version and architecture, as `dpkg-query` prints them there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from typing import Any


def python_components() -> Iterator[dict[str, Any]]:
    """Yield the Python packages of this environment, by name."""
    for one in sorted(distributions(), key=lambda one: one.metadata["Name"].lower()):
        name = one.metadata["Name"].lower().replace("_", "-")
        purl = f"pkg:pypi/{name}@{one.version}"
        licence = licence_of(one)
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": one.version,
            "purl": purl,
            **({"licenses": [{"license": {"name": licence}}]} if licence else {}),
        }


def licence_of(one: Distribution) -> str:
    """Return the licence that a package states: an expression, classifiers, or a line of text."""
    stated = one.metadata.get("License-Expression")
    classified = [
        line.rpartition(" :: ")[2]
        for line in one.metadata.get_all("Classifier") or []
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    text = (one.metadata.get("License") or "").strip()
    if text == "UNKNOWN":  # setuptools writes this for none
        text = (one.read_text("LICENSE") or "").strip()
    return stated or " AND ".join(classified) or text.partition("\n")[0]


def debian_components(shown: str) -> Iterator[dict[str, Any]]:
    """Yield the Debian packages of the base image, from `dpkg-query` there."""
    for name, version, architecture in (line.split("\t") for line in shown.splitlines()):
        purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}"
        yield {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def main(image: str, version: str) -> None:
    """Print the document."""
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": image, "version": version}},
        "components": [*python_components(), *debian_components(sys.stdin.read())],
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:3])
