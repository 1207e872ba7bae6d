"""The values of output fields, as they go over the contract."""

from __future__ import annotations

import json
import math
import operator
from array import array
from collections.abc import Callable
from typing import Any

from .description import Description, Distance
from .fields import Field, Kind, Sparse

#: Larger values fit no vector store.
VECTOR_VALUE_MAX = 1e16
_I64 = 1 << 63

assert array("i").itemsize == 4 and array("q").itemsize == 8


class Column:
    """The values of one field since the last flush. `put` raises what is wrong with a value."""

    def __init__(self, field: int, declared: Field) -> None:
        self.field = field
        self.name = declared.name
        self.nullable = declared.nullable
        #: Bytes that wait.
        self.bytes = 0

    def put(self, value: Any) -> None:
        """Appends a value."""
        raise NotImplementedError

    def truncate(self, count: int) -> None:
        """Drops the values from number `count` on."""
        raise NotImplementedError

    def push_to(self, sink: Any, first: int) -> None:
        """Hands the values over as those of the documents from `first` on."""
        raise NotImplementedError

    def refuse_none(self) -> None:
        if not self.nullable:
            raise TypeError("is None, but its type is without `| None`")


def column_of(field: int, declared: Field, description: Description) -> Column:
    """The column for a field of the description."""
    kind = declared.kind
    if kind in (Kind.I64, Kind.F64, Kind.BOOL):
        return Fixed(field, declared)
    if kind is Kind.DENSE:
        return Vectors(field, declared, description)
    if kind is Kind.SPARSE:
        return Sparses(field, declared)
    if kind is Kind.MULTI:
        return Cells(field, declared, _multi(declared.name, description))
    return Cells(field, declared, {Kind.UTF8: _utf8, Kind.JSON: _json, Kind.BLOB: _blob}[kind])


class Fixed(Column):
    """int, float and bool."""

    def __init__(self, field: int, declared: Field) -> None:
        super().__init__(field, declared)
        self.code, self.check = _FIXED[declared.kind]
        self.values: list[Any] = []

    def put(self, value: Any) -> None:
        if value is None:
            self.refuse_none()
            self.values.append(None)
        else:
            self.values.append(self.check(value))
        self.bytes += 8

    def truncate(self, count: int) -> None:
        del self.values[count:]
        self.bytes = 8 * count

    def push_to(self, sink: Any, first: int) -> None:
        values = self.values
        validity = _validity(values)
        if validity:
            values = [0 if value is None else value for value in values]
        sink.fixed(self.field, first, validity, array(self.code, values).tobytes())


class Cells(Column):
    """str, Json, bytes and Multi."""

    def __init__(self, field: int, declared: Field, encode: Callable[[Any], bytes]) -> None:
        super().__init__(field, declared)
        self.encode = encode
        self.values: list[bytes | None] = []

    def put(self, value: Any) -> None:
        if value is None and (self.nullable or self.encode is not _json):
            self.refuse_none()
            self.values.append(None)
        else:
            cell = self.encode(value)
            self.values.append(cell)
            self.bytes += len(cell)

    def truncate(self, count: int) -> None:
        self.bytes -= sum(len(cell) for cell in self.values[count:] if cell is not None)
        del self.values[count:]

    def push_to(self, sink: Any, first: int) -> None:
        cells = [cell or b"" for cell in self.values]
        sink.varlen(self.field, first, _validity(self.values), _offsets(cells), b"".join(cells))


class Vectors(Column):
    """Dense."""

    def __init__(self, field: int, declared: Field, description: Description) -> None:
        super().__init__(field, declared)
        self.dimension = description.dimension_of(declared.name)
        self.cosine = description.distance_of(declared.name) is Distance.COSINE
        self.values = array("f")

    def put(self, value: Any) -> None:
        vector = floats(value)
        if len(vector) != self.dimension:
            raise ValueError(f"has {len(vector)} values, its dimension is {self.dimension}")
        if self.cosine and not any(vector):
            raise ValueError("is a vector of zeros, which has no direction under cosine")
        self.values.extend(vector)
        self.bytes += 4 * self.dimension

    def truncate(self, count: int) -> None:
        del self.values[count * self.dimension :]
        self.bytes = 4 * len(self.values)

    def push_to(self, sink: Any, first: int) -> None:
        sink.vectors(self.field, first, self.values.tobytes())


class Sparses(Column):
    """Sparse."""

    def __init__(self, field: int, declared: Field) -> None:
        super().__init__(field, declared)
        self.values: list[tuple[list[int], array[float]]] = []

    def put(self, value: Any) -> None:
        if not isinstance(value, Sparse):
            raise TypeError(f"is a {type(value).__name__}, not a Sparse")
        self.values.append(sparse(value))
        self.bytes += 8 * len(value.indices)

    def truncate(self, count: int) -> None:
        self.bytes -= 8 * sum(len(indices) for indices, _ in self.values[count:])
        del self.values[count:]

    def push_to(self, sink: Any, first: int) -> None:
        offsets = _offsets([indices for indices, _ in self.values])
        indices = [index for indices, _ in self.values for index in indices]
        values = b"".join(values.tobytes() for _, values in self.values)
        sink.sparse(self.field, first, offsets, indices, values)


def floats(values: Any) -> array[float]:
    """Values as 32-bit floats; raises when one is not finite or too large for a vector store."""
    vector = values if isinstance(values, array) and values.typecode == "f" else array("f", values)
    # One pass in C for what nearly always holds; sums of large values need the second look.
    if not sum(map(abs, vector)) <= VECTOR_VALUE_MAX:
        for at, value in enumerate(vector):
            if not abs(value) <= VECTOR_VALUE_MAX:
                raise ValueError(f"has {value} at value {at}, at most 1e16 is allowed")
    return vector


def sparse(value: Sparse) -> tuple[list[int], array[float]]:
    """Indices and values of a sparse vector, checked."""
    indices = [operator.index(index) for index in value.indices]
    values = floats(value.values)
    if len(indices) != len(values):
        raise ValueError(f"has {len(indices)} indices and {len(values)} values")
    if any(a >= b for a, b in zip(indices, indices[1:])):
        raise ValueError("has indices that do not ascend")
    if indices and not (0 <= indices[0] and indices[-1] < 1 << 32):
        raise ValueError("has an index that is not an unsigned 32-bit integer")
    return indices, values


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("is a bool, not an int")
    number = operator.index(value)
    if not -_I64 <= number < _I64:
        raise ValueError(f"{number} does not fit 64 bits with a sign")
    return number


def _number(value: Any) -> float:
    if isinstance(value, (bool, str)):
        raise TypeError(f"is a {type(value).__name__}, not a float")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not finite")
    return number


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"is a {type(value).__name__}, not a bool")
    return value


_FIXED: dict[Kind, tuple[str, Callable[[Any], Any]]] = {
    Kind.I64: ("q", _integer),
    Kind.F64: ("d", _number),
    Kind.BOOL: ("B", _truth),
}


def _utf8(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"is a {type(value).__name__}, not a str")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"can not be written as UTF-8: {error.reason}") from None


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def _blob(value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"is a {type(value).__name__}, not bytes")
    return bytes(value)


def _multi(name: str, description: Description) -> Callable[[Any], bytes]:
    dimension = description.dimension_of(name)

    def encode(value: Any) -> bytes:
        vectors = [floats(vector) for vector in value]
        for at, vector in enumerate(vectors):
            if len(vector) != dimension:
                wrong = f"vector {at} has {len(vector)} values, its dimension is {dimension}"
                raise ValueError(wrong)
        return b"".join(vector.tobytes() for vector in vectors)

    return encode


def _offsets(cells: list[Any]) -> list[int]:
    end = 0
    offsets = [0]
    for cell in cells:
        end += len(cell)
        offsets.append(end)
    return offsets


def _validity(values: list[Any]) -> bytes:
    """One bit a value, least significant first; nothing when none is missing."""
    if None not in values:
        return b""
    bits = bytearray((len(values) + 7) // 8)
    for at, value in enumerate(values):
        if value is not None:
            bits[at >> 3] |= 1 << (at & 7)
    return bytes(bits)
