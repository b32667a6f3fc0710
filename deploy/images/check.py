"""Check an image while it is built: `python check.py api` or `python check.py worker`; raises if unfit."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import exemplar_service  # noqa: F401 - puts the packages on the path

WORKERS_ONLY = ("torch", "faiss", "openvino", "scipy", "sklearn")


def check_api(data: str) -> None:
    """Import all that the API consists of, and make a record."""
    for one in pkgutil.walk_packages(import_module("api").__path__, "api."):
        import_module(one.name)
    assert [name for name in WORKERS_ONLY if find_spec(name)] == []
    subprocess.run(["exemplar", "migrate", "--data", data], check=True)
    subprocess.run(["exemplar", "doctor", "--help"], check=True, stdout=subprocess.DEVNULL)


def check_worker(data: str) -> None:
    """Open the offered encoder, embed two pictures, and find one by the other."""
    import faiss
    import numpy as np
    from PIL import Image

    from encoders import open_encoder

    subprocess.run(["exemplar", "encoders", "list", "--open", "--data", data], check=True)
    encoder = open_encoder("efficientnet_lite2")
    pixels = np.random.default_rng(0).integers(0, 255, (2, 60, 80, 3), dtype=np.uint8)
    vectors = encoder.embed([encoder.prepare(Image.fromarray(one)) for one in pixels])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    index = faiss.IndexFlatIP(encoder.dim)
    index.add(vectors)
    _, found = index.search(vectors, 1)
    assert found[:, 0].tolist() == [0, 1]


def main(what: str) -> None:
    """Run the checks."""
    assert os.getuid() != 0, "the image runs as root"
    with TemporaryDirectory() as data:
        {"api": check_api, "worker": check_worker}[what](data)
    assert not any(Path("/data").iterdir()), "the check left files in the image"
    print(f"checked: {what}")


if __name__ == "__main__":
    main(sys.argv[1])
