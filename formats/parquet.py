"""Results as an Apache Parquet file, written as it is read: a group of rows at a time, never the whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from core.results import Result
from formats.csv import COLUMNS, cells_of
from formats.sink import Sink

GROUP_ROWS = 5000  # 10 MB where each result has five neighbours

_CANDIDATE = [("label", pa.string()), ("probability", pa.float64())]
_NEIGHBOUR = [
    ("support_id", pa.int64()),
    ("label", pa.string()),
    ("labels", pa.list_(pa.string())),
    ("similarity", pa.float64()),
]
_TYPES = {
    **dict.fromkeys(("item", "support_id", "duplicate_of", "index_version"), pa.int64()),
    **dict.fromkeys(("confidence", "margin", "novelty", "novelty_threshold"), pa.float64()),
    **dict.fromkeys(("reviewed", "smoothed", "automatic"), pa.bool_()),
    "labels": pa.list_(pa.struct([*_CANDIDATE, ("decision", pa.string())])),
    "final_labels": pa.list_(pa.string()),
    "candidates": pa.list_(pa.struct(_CANDIDATE)),
    "neighbours": pa.list_(pa.struct(_NEIGHBOUR)),
}
SCHEMA = pa.schema(
    [
        pa.field(name, _TYPES.get(name, pa.string()), nullable=name not in ("item", "status"))
        for name in (*COLUMNS, "candidates", "neighbours")
    ]
)
"""The columns of CSV, with labels as lists, and two lists that CSV cannot hold."""

_LISTS = ("candidates", "neighbours", "labels", "final_labels")


def parquet_parts(results: Iterable[Result]) -> Iterator[bytes]:
    """Yield the bytes of a Parquet file of results."""
    sink = Sink()
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
