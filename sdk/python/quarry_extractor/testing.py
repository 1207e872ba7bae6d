"""Rows and documents as dictionaries, for the tests of an extractor. Needs no WebAssembly."""

from __future__ import annotations

import json
import struct
from array import array
from dataclasses import dataclass
from typing import Any

from .blob import BlobError
from .extractor import Extractor
from .fields import Field, Kind
from .reject import Reject
from .runner import Runner

#: Rows of a tile in tests: small, so that a few rows cross a border.
TILE_ROWS = 3


class Harness:
    """Runs an extractor on rows, through the same tile loop as in the host.

    Raises ParameterError when the parameters do not fit.
    """

    def __init__(self, extractor: type[Extractor[Any, Any, Any]], **parameters: Any) -> None:
        # As it comes from a pipeline: through JSON.
        self._runner = Runner(extractor, json.loads(json.dumps(parameters)))

    @property
    def description(self) -> dict[str, Any]:
        """What the extractor is with these parameters, as the contract's JSON."""
        return self._runner.description.to_json()

    def row(self, **fields: Any) -> list[dict[str, Any]]:
        """The documents of one row; raises Reject when it is rejected.

        In the row a blob is `str` or `bytes` (or a Reject, for one that can not be read), a
        json field any value, a dense vector a sequence of numbers. In documents a vector is a list
        of numbers, a sparse one `{"indices": [...], "values": [...]}`, a multi-vector a list of
        lists, a blob `bytes`.
        """
        answer = self.rows([fields])[0]
        if isinstance(answer, Reject):
            raise answer
        return answer

    def rows(self, rows: list[dict[str, Any]]) -> list[list[dict[str, Any]] | Reject]:
        """Several rows in one batch: for each its documents, or why it is rejected."""
        batch = _Batch(self._runner.description.inputs, rows)
        sink = _Sink(self._runner.description.outputs)
        self._runner.run(batch, batch, sink)
        return sink.answers(len(rows), self._runner.description)

    def embed_query(self, text: str) -> dict[str, Any]:
        """The vectors for a search text, as the contract's JSON."""
        found: dict[str, Any] = json.loads(self._runner.embed_query(text))
        return found


@dataclass
class _Varlen:
    validity: bytes
    offsets: list[int]
    data: bytes


@dataclass
class _Fixed:
    validity: bytes
    width: int
    lanes: int
    data: bytes


class _Batch:
    """The contract's `batch` over dictionaries, and its blob cells."""

    def __init__(self, inputs: list[Field], rows: list[dict[str, Any]]) -> None:
        self.inputs = inputs
        self.values = rows
        names = {declared.name for declared in inputs}
        for number, row in enumerate(rows):
            for name in row.keys() - names:
                raise TypeError(f"row {number} has `{name}`, which is not an input")
            for declared in inputs:
                if not declared.nullable and row.get(declared.name) is None:
                    raise TypeError(f"row {number} has no `{declared.name}`")

    def rows(self) -> int:
        return len(self.values)

    def tile(self) -> int:
        return TILE_ROWS

    def varlen(self, column: int, start: int, end: int) -> _Varlen:
        values = self._column(column, start, end)
        if self.inputs[column].kind is Kind.JSON:
            cells = [b"" if value is None else json.dumps(value).encode() for value in values]
        else:
            cells = [b"" if value is None else value.encode() for value in values]
        offsets = [0]
        for cell in cells:
            offsets.append(offsets[-1] + len(cell))
        return _Varlen(_validity(values), offsets, b"".join(cells))

    def fixed(self, column: int, start: int, end: int) -> _Fixed:
        values = self._column(column, start, end)
        validity = _validity(values)
        if self.inputs[column].kind is Kind.DENSE:
            lanes = next((len(value) for value in values if value is not None), 0)
            vectors = [[0.0] * lanes if value is None else value for value in values]
            data = b"".join(array("f", vector).tobytes() for vector in vectors)
            return _Fixed(validity, 4, lanes, data)
        code = {Kind.I64: "q", Kind.F64: "d", Kind.BOOL: "?"}[self.inputs[column].kind]
        present = [0 if value is None else value for value in values]
        data = struct.pack(f"<{len(present)}{code}", *present)
        return _Fixed(validity, struct.calcsize(code), 1, data)

    def cell_len(self, column: int, row: int) -> int:
        return len(self._cell(column, row))

    def cell_read(self, column: int, row: int, offset: int, length: int) -> bytes:
        return self._cell(column, row)[offset : offset + length]

    def _column(self, column: int, start: int, end: int) -> list[Any]:
        name = self.inputs[column].name
        return [row.get(name) for row in self.values[start:end]]

    def _cell(self, column: int, row: int) -> bytes:
        value = self.values[row][self.inputs[column].name]
        if isinstance(value, Reject):
            raise BlobError("blob_unreadable", f"cannot read the blob: {value.message}")
        return value.encode() if isinstance(value, str) else bytes(value)


class _Sink:
    """The contract's `sink`, back to Python values. It checks the order of calls."""

    def __init__(self, outputs: list[Field]) -> None:
        self.outputs = outputs
        self.counts: list[int] = []
        self.columns: list[list[Any]] = [[] for _ in outputs]
        self.rejects: dict[int, Reject] = {}

    def documents(self, row: int, counts: list[int]) -> int:
        assert row == len(self.counts), f"row {row} is announced, {len(self.counts)} is next"
        first = sum(self.counts)
        self.counts += counts
        return first

    def vectors(self, field: int, first: int, data: bytes) -> None:
        self._append(field, first, [array("f", data)])

    def sparse(
        self, field: int, first: int, offsets: list[int], indices: list[int], values: bytes
    ) -> None:
        numbers = array("f", values).tolist()
        ranges = list(zip(offsets, offsets[1:]))
        found = [{"indices": indices[a:b], "values": numbers[a:b]} for a, b in ranges]
        self._append(field, first, found)

    def fixed(self, field: int, first: int, validity: bytes, data: bytes) -> None:
        code = {Kind.I64: "q", Kind.F64: "d", Kind.BOOL: "?"}[self.outputs[field].kind]
        values = [value for (value,) in struct.iter_unpack(f"<{code}", data)]
        self._append(field, first, _masked(values, validity))

    def varlen(
        self, field: int, first: int, validity: bytes, offsets: list[int], data: bytes
    ) -> None:
        cells: list[Any] = [data[a:b] for a, b in zip(offsets, offsets[1:])]
        kind = self.outputs[field].kind
        if kind is Kind.UTF8:
            cells = [cell.decode() for cell in cells]
        elif kind is Kind.JSON:
            cells = [json.loads(cell) if cell else None for cell in cells]
        self._append(field, first, _masked(cells, validity))

    def reject(self, row: int, code: str, message: str) -> None:
        assert self.counts[row] == 0, f"row {row} is rejected and has documents"
        self.rejects[row] = Reject(code, message)

    def answers(self, rows: int, description: Any) -> list[list[dict[str, Any]] | Reject]:
        assert len(self.counts) == rows, f"{len(self.counts)} of {rows} rows are announced"
        columns = {
            declared.name: _values(declared, values, description)
            for declared, values in zip(self.outputs, self.columns)
        }
        answers: list[list[dict[str, Any]] | Reject] = []
        next_document = 0
        for row, count in enumerate(self.counts):
            numbers = range(next_document, next_document + count)
            next_document += count
            documents = [{name: each[at] for name, each in columns.items()} for at in numbers]
            answers.append(self.rejects.get(row, documents))
        return answers

    def _append(self, field: int, first: int, values: list[Any]) -> None:
        column = self.columns[field]
        if self.outputs[field].kind is not Kind.DENSE:
            assert first == len(column), f"document {first} is pushed, {len(column)} is next"
        column.extend(values)


def _values(declared: Field, values: list[Any], description: Any) -> list[Any]:
    """Vectors as lists, cut by their dimension."""
    if declared.kind is Kind.DENSE:
        flat = [number for piece in values for number in piece]
        return _cut(flat, description.dimension_of(declared.name))
    if declared.kind is Kind.MULTI:
        dimension = description.dimension_of(declared.name)
        return [_cut(array("f", cell).tolist(), dimension) for cell in values]
    return values


def _cut(flat: list[float], dimension: int) -> list[list[float]]:
    return [flat[at : at + dimension] for at in range(0, len(flat), dimension)]


def _masked(values: list[Any], validity: bytes) -> list[Any]:
    if not validity:
        return values
    bits = [validity[at >> 3] >> (at & 7) & 1 for at in range(len(values))]
    return [value if bit else None for value, bit in zip(values, bits)]


def _validity(values: list[Any]) -> bytes:
    bits = bytearray((len(values) + 7) // 8)
    for at, value in enumerate(values):
        if value is not None:
            bits[at >> 3] |= 1 << (at & 7)
    return bytes(bits)
