"""FAISS's flat index on the device: build, search and memory."""

from __future__ import annotations

import time

import faiss
import numpy as np

from benchmarks.gpu import cuda
from benchmarks.index_engines import Drawn, timed
from index.devices import flat_on_gpu, gpu_is_here

K = 10


def measured(supports: int, dim: int, device: str, rounds: int) -> dict[str, object]:
    """Raises UnavailableError if this FAISS has no GPU and one was asked for."""
    if cuda.is_cuda(device) and not gpu_is_here():
        raise cuda.UnavailableError(f"FAISS {faiss.__version__} sees no GPU")
    drawn = Drawn(supports, dim)
    before = cuda.used_mib(device)
    index = flat_on_gpu(dim) if cuda.is_cuda(device) else faiss.IndexFlatIP(dim)
    build_s, first = 0.0, None
    for _, vectors in drawn.blocks():
        first = vectors[:64] if first is None else first
        begun = time.perf_counter()
        index.add(vectors)
        build_s += time.perf_counter() - begun
    found = index.search(first, 1)[1][:, 0]
    assert (found == np.arange(len(found))).all(), "a vector's nearest is not itself"
    queries = drawn.queries(count=64)
    alone = [timed(lambda n=n: index.search(queries[n % 64, None], K)) for n in range(rounds)]
    of_64 = [timed(lambda: index.search(queries, K)) for _ in range(rounds)]
    return {
        "supports": supports,
        "dim": dim,
        "build_s": round(build_s, 2),
        "alone_p50_ms": round(float(np.median(alone)), 3),
        "alone_p95_ms": round(float(np.quantile(alone, 0.95)), 3),
        "of_64_ms": round(float(np.median(of_64)), 3),
        "memory_mib": cuda.used_mib(device) - before,
    }
