"""Rows out of the columns of a tile."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .blob import Blob, Cells
from .fields import Field, Kind

#: Gives the value of a row, counted within the tile.
Read = Callable[[int], Any]


def reader(batch: Any, cells: Cells, column: int, declared: Field, start: int, end: int) -> Read:
    """Pulls the rows from `start` to `end` of a column and reads them."""
    kind = declared.kind
    if kind is Kind.BLOB:
        return lambda row: Blob(cells, column, start + row)
    if kind in (Kind.UTF8, Kind.JSON):
        tile = batch.varlen(column, start, end)
        offsets, data = tile.offsets, tile.data
        if kind is Kind.UTF8:
            read: Read = lambda row: data[offsets[row] : offsets[row + 1]].decode()  # noqa: E731
        else:
            read = lambda row: json.loads(data[offsets[row] : offsets[row + 1]])  # noqa: E731
    else:
        tile = batch.fixed(column, start, end)
        read = _fixed(kind, tile.lanes, memoryview(tile.data))
    validity = tile.validity
    if not declared.nullable or not validity:
        return read
    return lambda row: read(row) if validity[row >> 3] >> (row & 7) & 1 else None


def _fixed(kind: Kind, lanes: int, data: memoryview) -> Read:
    if kind is Kind.BOOL:
        return lambda row: data[row] != 0
    if kind is Kind.DENSE:
        floats = data.cast("f")
        return lambda row: floats[row * lanes : row * lanes + lanes]
    return data.cast("q" if kind is Kind.I64 else "d").__getitem__
