"""Results as an Apache Parquet file, written as it is read: a group of rows at a time, never the whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from core.results import Result
from formats.csv import COLUMNS, cells_of

GROUP_ROWS = 5000  # 10 MB where each result has five neighbours

SCHEMA = pa.schema(
    [
        pa.field("item", pa.int64(), nullable=False),
        pa.field("custom_id", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("decision", pa.string()),
        pa.field("label", pa.string()),
        pa.field("final_label", pa.string()),
        pa.field(
            "labels",
            pa.list_(
                pa.struct([("label", pa.string()), ("probability", pa.float64()), ("decision", pa.string())])
            ),
        ),
        pa.field("final_labels", pa.list_(pa.string())),
        pa.field("reviewed", pa.bool_()),
        pa.field("confidence", pa.float64()),
        pa.field("support_id", pa.int64()),
        pa.field("duplicate_of", pa.int64()),
        pa.field("duplicate_label", pa.string()),
        pa.field("index_version", pa.int64()),
        pa.field("encoder", pa.string()),
        pa.field("error_code", pa.string()),
        pa.field("error_detail", pa.string()),
        pa.field("rule", pa.string()),
        pa.field("margin", pa.float64()),
        pa.field("candidate_set", pa.string()),
        pa.field("novelty", pa.float64()),
        pa.field("novelty_threshold", pa.float64()),
        pa.field("smoothed", pa.bool_()),
        pa.field("automatic", pa.bool_()),
        pa.field("findings", pa.string()),
        pa.field("candidates", pa.list_(pa.struct([("label", pa.string()), ("probability", pa.float64())]))),
        pa.field(
            "neighbours",
            pa.list_(
                pa.struct(
                    [
                        ("support_id", pa.int64()),
                        ("label", pa.string()),
                        ("labels", pa.list_(pa.string())),
                        ("similarity", pa.float64()),
                    ]
                )
            ),
        ),
    ]
)
"""The columns of CSV, with labels as lists, and two lists that CSV cannot hold."""

_LISTS = ("candidates", "neighbours", "labels", "final_labels")


def parquet_parts(results: Iterable[Result]) -> Iterator[bytes]:
    """Yield the bytes of a Parquet file of results."""
    sink = _Sink()
    rest = iter(results)
    with pq.ParquetWriter(sink, SCHEMA, compression="zstd") as writer:
        while group := list(islice(rest, GROUP_ROWS)):
            writer.write_table(_table(group))
            yield sink.taken()
    yield sink.taken()


def _table(group: list[Result]) -> pa.Table:
    cells = [dict(zip(COLUMNS, cells_of(result), strict=True)) for result in group]
    columns = [
        pa.array([row.get(field.name) for row in (group if field.name in _LISTS else cells)], field.type)
        for field in SCHEMA
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


class _Sink:
    """A file that is only written to, and gives up what has been written."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, content: bytes) -> int:
        self._parts.append(bytes(content))
        return len(self._parts[-1])

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)

    def flush(self) -> None: ...

    def close(self) -> None: ...
