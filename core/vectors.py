"""Unit vectors: their type, and the check that keeps invalid values out of the record and the index."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.errors import ExemplarError

COMPONENT = np.dtype("<f4")  # little-endian, so that stored vectors are portable

Vectors = npt.NDArray[np.float32]
"""(n, dim) float32, each row of unit length."""

Crops = npt.NDArray[np.float32]
"""(n, c, dim) float32 of unit length: c crops of each of n pictures."""

Vector = npt.NDArray[np.float32]
"""(dim,) float32 of unit length."""


def is_unit(vector: Vector) -> bool:
    """Return whether all components are finite and the length is 1 within 1e-3."""
    return bool(np.isfinite(vector).all()) and abs(float(np.linalg.norm(vector)) - 1.0) < 1e-3


def check_vector(vector: Vector, dim: int) -> Vector:
    """Return the vector unchanged; raise `vector_invalid` unless it is (dim,), finite and of unit length."""
    if vector.shape != (dim,):
        raise ExemplarError(
            "vector_invalid", f"expected a vector of {dim} components, got shape {vector.shape}"
        )
    if not is_unit(vector):
        raise ExemplarError(
            "vector_invalid",
            "expected a finite vector of unit length; the encoder cannot describe this picture",
        )
    return vector


def pack_vector(vector: Vector) -> bytes:
    """Return the vector as little-endian float32 bytes."""
    return vector.astype(COMPONENT, copy=False).tobytes()


def unpack_vector(packed: bytes) -> Vector:
    """Return the vector of these bytes."""
    return np.frombuffer(packed, dtype=COMPONENT).astype(np.float32, copy=False)
