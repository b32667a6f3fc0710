"""Milvus as a vector store: the vectors of one collection by support id, and their version."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import ExemplarError
from core.vectors import Vectors
from index.supports import Ids

MARK = -1  # id of the row that holds the version; supports have positive ids
AT_ONCE = 1_000  # rows per call: at 1,024 components 4 MB, far below Milvus's message limit
TIMEOUT_S = 30.0
# Milvus Lite scans rows that are not flushed one by one
FLUSH_AFTER = 2_000
# the client's default of ten seconds is more often than gRPC servers allow on an idle connection
GRPC_OPTIONS = {"grpc.keepalive_time_ms": 300_000, "grpc.keepalive_permit_without_calls": False}


class Milvus:
    """A Milvus server by URL, or Milvus Lite in a file of this process."""

    def __init__(self, url: str, token: str, folder: Path) -> None:
        """Nothing is opened before it is needed: the client takes seconds to import."""
        self._url = url
        self._token = token
        self._folder = folder
        self._client: Any = None
        self._slot: int | None = None

    def open(self, name: str, dim: int) -> MilvusStore:
        """Open the store of one collection, creating it if necessary; raises `index_unavailable`."""
        with _translated():
            return MilvusStore(self._connected(), name, dim, embedded=not self._url)

    def _connected(self) -> Any:
        if self._client is None:
            try:
                from pymilvus import MilvusClient  # noqa: PLC0415
            except ImportError as error:
                raise ExemplarError(
                    "index_unavailable",
                    "the index milvus needs pymilvus: install exemplar with its extra milvus on the workers",
                ) from error
            url = self._url or str(self._own_file())
            self._client = MilvusClient(url, token=self._token, dedicated=True, grpc_options=GRPC_OPTIONS)
        return self._client

    def _own_file(self) -> Path:
        """Return a file that no other process uses: Milvus Lite allows one process per file.

        Files are numbered and the first free one is locked, so that a restarted process finds the old data.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        number = 0
        while True:
            slot = os.open(self._folder / f"{number}.lock", os.O_CREAT | os.O_RDWR, 0o644)
            try:
                fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(slot)
                number += 1
                continue
            self._slot = slot  # locked while the process lives
            return self._folder / f"{number}.db"


class MilvusStore:
    """The rows of one collection. A row never changes, so writing it again, or late, is harmless."""

    def __init__(self, client: Any, name: str, dim: int, *, embedded: bool) -> None:
        self._client = client
        self._name = name
        self._dim = dim
        self._embedded = embedded
        self._unflushed = 0
        if not client.has_collection(name):
            self._make()
        client.load_collection(name)

    def version(self) -> int:
        """Return a version whose supports are all stored; 0 if there is none."""
        with _translated():
            rows = self._client.query(
                self._name,
                ids=[MARK],
                output_fields=["version"],
                consistency_level="Strong",
                timeout=TIMEOUT_S,
            )
            return int(rows[0]["version"]) if rows else 0

    def note(self, version: int) -> None:
        """Record that every support of a version is stored; earlier writes are flushed."""
        zero = np.zeros(self._dim, np.float32)
        with _translated():
            self._client.upsert(
                self._name, [{"id": MARK, "version": version, "vector": zero}], timeout=TIMEOUT_S
            )

    def put(self, ids: Ids, vectors: Vectors) -> None:
        """Write (n, dim) vectors; every search that starts later in any process finds them."""
        with _translated():
            for start in range(0, len(ids), AT_ONCE):
                some = slice(start, start + AT_ONCE)
                rows = [
                    {"id": int(support_id), "version": 0, "vector": vector}
                    for support_id, vector in zip(ids[some], vectors[some], strict=True)
                ]
                self._client.upsert(self._name, rows, timeout=TIMEOUT_S)
            self._unflushed += len(ids)
            if self._embedded and self._unflushed >= FLUSH_AFTER:
                self._client.flush(self._name)
                self._unflushed = 0

    def remove(self, ids: Ids) -> None:
        """Remove rows; missing ones are ignored."""
        with _translated():
            for start in range(0, len(ids), AT_ONCE):
                some = ids[start : start + AT_ONCE].tolist()
                self._client.delete(self._name, ids=some, timeout=TIMEOUT_S)

    def search(self, queries: Vectors, k: int) -> list[tuple[Ids, npt.NDArray[np.float32]]]:
        """Map (m, dim) queries to ids and cosines of at most k rows, nearest first."""
        with _translated():
            lines = self._client.search(
                self._name,
                data=list(np.ascontiguousarray(queries)),
                anns_field="vector",
                limit=k,  # Milvus gives 16,384 at most
                output_fields=["id"],
                consistency_level="Strong",
                timeout=TIMEOUT_S,
            )
        return [
            (
                np.array([hit["id"] for hit in line], np.int64),
                np.array([hit["distance"] for hit in line], np.float32),
            )
            for line in lines
        ]

    def get(self, ids: Ids) -> tuple[Ids, Vectors]:
        """Return the stored ones of these ids, and their vectors."""
        rows: list[Any] = []
        with _translated():
            for start in range(0, len(ids), AT_ONCE):
                rows += self._client.query(
                    self._name,
                    ids=ids[start : start + AT_ONCE].tolist(),
                    output_fields=["id", "vector"],
                    consistency_level="Strong",
                    timeout=TIMEOUT_S,
                )
        vectors = np.array([row["vector"] for row in rows], np.float32).reshape(-1, self._dim)
        return np.array([row["id"] for row in rows], np.int64), vectors

    def drop(self) -> None:
        """Remove everything."""
        with _translated():
            self._client.drop_collection(self._name)

    def _make(self) -> None:
        from pymilvus import DataType  # noqa: PLC0415
        from pymilvus.exceptions import MilvusException  # noqa: PLC0415

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("version", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self._dim)
        index = self._client.prepare_index_params()
        kind = "FLAT" if self._embedded else "AUTOINDEX"
        index.add_index("vector", index_type=kind, metric_type="IP")
        try:
            self._client.create_collection(
                self._name, schema=schema, index_params=index, consistency_level="Strong", timeout=TIMEOUT_S
            )
        except MilvusException:
            if not self._client.has_collection(self._name):  # otherwise another worker has just created it
                raise


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the errors of Milvus and its transport as one after which the work is retried."""
    try:
        yield
    except ExemplarError:
        raise
    except Exception as error:  # pymilvus raises its own, gRPC's and builtin ones for an unreachable server
        message = f"Milvus failed: {type(error).__name__}: {error}"[:300]
        raise ExemplarError("index_unavailable", message, retry=True) from error
