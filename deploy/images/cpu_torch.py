"""Make an installed PyTorch run without NVIDIA's libraries, on CPUs: with its `python`.

The package index has PyTorch for Linux on x86-64 only with CUDA. It is linked to 4 GB of libraries (cuBLAS,
cuDNN, NCCL and others) that it never calls on a CPU, but that the loader wants to see. For each that is not
installed this builds a library of that name, some kilobytes, with the functions that PyTorch is linked to; a
call of one raises RuntimeError in Python. PyTorch itself is not changed. Needs g++ and binutils. The
Dockerfile embeds a picture with the result.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

# libraries whose symbols have no version that names them, by how the symbols begin
PREFIXES = {"cusparseLt": "libcusparseLt.so", "nccl": "libnccl.so", "nvshmem": "libnvshmem_host.so"}
# loaded only where there is a GPU; profilers of GPUs
UNUSED = (
    "torch/lib/libtorch_cuda_linalg.so",
    "torch/lib/libcaffe2_nvrtc.so",
    "nvidia/cu*/lib/libnvperf_*",
    "nvidia/cu*/lib/libpcsamplingutil*",
    "nvidia/cu*/lib/libcheckpoint*",
    "nvidia/cu*/lib/*.a",
    "nvidia/cu*/include",
)
THROW = """
#include <stdexcept>
extern "C" __attribute__((visibility("hidden"), noreturn)) void left_out() {
  throw std::runtime_error("this PyTorch is for CPUs: CUDA was left out; use the image for GPUs");
}
"""
# `  12: 0000000000000000   0 FUNC    GLOBAL DEFAULT  UND cudnnGetProperty@libcudnn.so.9 (33)`
_SYMBOL = re.compile(r"^\s*\d+: \S+\s+\S+ (\w+)\s+GLOBAL\s+\w+\s+UND ([^\s@]+)(?:@+(\S+))?", re.MULTILINE)
_NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """A symbol that a library expects of another; its version mostly is the other's name."""

    name: str
    kind: str
    version: str


def expected_of_others(library: Path) -> tuple[set[str], set[Symbol]]:
    """Return the names of the libraries that this one is linked to, and the symbols it expects of them."""
    command = ["readelf", "--wide", "--dynamic", "--dyn-syms", str(library)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    symbols = {Symbol(name, kind, version) for kind, name, version in _SYMBOL.findall(shown)}
    return set(_NEEDED.findall(shown)), symbols


def missing_libraries(site: Path) -> dict[str, set[Symbol]]:
    """Return the libraries that PyTorch is linked to and that are not installed, with their symbols."""
    linked = [*site.glob("torch/lib/*.so*"), *site.glob("torchvision/*.so")]
    here = {path.name for path in site.glob("**/*.so*")}
    found: dict[str, set[Symbol]] = defaultdict(set)
    names: set[str] = set()
    symbols: set[Symbol] = set()
    for library in linked:
        of_one, expected = expected_of_others(library)
        names |= {
            name for name in of_one if name.startswith(("libcu", "libnccl", "libnv")) and name not in here
        }
        symbols |= expected
    for symbol in symbols:
        stem = next((PREFIXES[start] for start in PREFIXES if symbol.name.startswith(start)), symbol.version)
        for name in names:
            if name == stem or name.startswith(f"{stem}."):
                found[name].add(symbol)
    return {name: found[name] for name in sorted(names)}


def assembly(symbols: Iterable[Symbol]) -> Iterator[str]:
    """Yield the source of a library with these symbols: functions that throw, and zeroed data."""
    made = sorted(symbols)
    yield ".text"
    for one in made:
        if one.kind != "OBJECT":
            yield f".globl {one.name}\n.type {one.name}, @function\n{one.name}:"
    yield "jmp left_out\n.data"
    for one in made:
        if one.kind == "OBJECT":
            yield f".globl {one.name}\n.type {one.name}, @object\n.size {one.name}, 64\n{one.name}: .zero 64"
    yield '.section .note.GNU-stack,"",@progbits'


def build(library: Path, symbols: set[Symbol]) -> None:
    """Build a library with these symbols under their version."""
    [version] = {one.version for one in symbols} or {""}
    with TemporaryDirectory() as folder:
        made, thrower, script = (Path(folder, name) for name in ("made.s", "throw.cpp", "versions"))
        made.write_text("\n".join(assembly(symbols)) + "\n")
        thrower.write_text(THROW)
        script.write_text(f"{version} {{ global: *; }};\n")
        options = [f"-Wl,-soname,{library.name}", *([f"-Wl,--version-script={script}"] if version else [])]
        command = [
            "g++",
            "-shared",
            "-fPIC",
            "-O2",
            "-s",
            *options,
            "-o",
            str(library),
            str(made),
            str(thrower),
        ]
        subprocess.run(command, check=True)


def main() -> None:
    """Build the missing libraries, and remove what is not used without a GPU."""
    site = Path(sysconfig.get_path("purelib"))
    for pattern in UNUSED:
        for path in site.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, symbols in missing_libraries(site).items():
        build(site / "torch" / "lib" / name, symbols)
        print(f"{name}: {len(symbols)} symbols")


if __name__ == "__main__":
    main()
