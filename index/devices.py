"""The devices of FAISS: CPU threads, or a GPU."""

from __future__ import annotations

from functools import cache
from typing import Any

import faiss
from threadpoolctl import threadpool_limits

# FAISS uses matrix multiplication only above this size of a batch (queries x dim); its own default
# is 9 to 11 times slower on batches of a few dozen queries
faiss.cvar.distance_compute_blas_threshold = 2048


def use_search_threads(threads: int) -> None:
    """Set the threads of a search and of a rule's algebra; more than spare cores make both slower."""
    faiss.omp_set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")


def gpu_is_here() -> bool:
    """Return whether FAISS sees a GPU."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


def flat_on_gpu(dim: int) -> Any:
    """Return an empty flat index in the GPU's memory."""
    return faiss.GpuIndexFlatIP(_gpu_resources(), dim)


@cache  # each set of resources takes gigabytes of the GPU, and one thread per process searches
def _gpu_resources() -> Any:
    return faiss.StandardGpuResources()
