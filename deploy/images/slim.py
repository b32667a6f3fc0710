"""Remove from this environment what no process of the service reads; needs binutils.

Tests, headers, type stubs, descriptions of AWS's other services, lexers of other languages than Python, and
the symbols for debuggers in compiled modules (not in `*.libs`, made by auditwheel, which `strip` may break).
"""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

SITE = Path(sysconfig.get_path("purelib"))
UNUSED = (
    "*/**/tests",
    "*/**/testing/suite",
    "*/include",
    "**/*.pyi",
    "torch/share/cmake",
    "torch/bin/protoc*",
)
# S3, and how credentials for it are found
AWS_SERVICES = {"s3", "sts", "sso", "sso-oidc", "signin"}
LEXERS = {"__init__", "_mapping", "python", "special"}


def unused() -> Iterator[Path]:
    """Yield the files and folders to remove."""
    for pattern in UNUSED:
        yield from SITE.glob(pattern)
    for path in SITE.glob("botocore/data/*"):
        if path.is_dir() and path.name not in AWS_SERVICES:
            yield path
    for path in SITE.glob("pygments/lexers/**/*.py*"):
        if path.name.partition(".")[0] not in LEXERS:
            yield path


def compiled() -> Iterator[Path]:
    """Yield the compiled modules and libraries to strip; NVIDIA's have no such symbols."""
    for path in SITE.glob("**/*.so*"):
        top = path.relative_to(SITE).parts[0]
        if path.is_file() and top != "nvidia" and not top.endswith(".libs"):
            yield path


def main() -> None:
    """Remove and strip."""
    for path in list(unused()):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    subprocess.run(["strip", "--strip-unneeded", *map(str, compiled())], check=True)


if __name__ == "__main__":
    main()
