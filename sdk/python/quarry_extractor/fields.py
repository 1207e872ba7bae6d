"""The types of fields, and how a dataclass declares them.

A field of a row or a document is annotated with one of `str`, `int`, `float`, `bool`, `bytes` (out
only), `Blob` (in only), `Json`, `Dense`, `Sparse` (out only) and `Multi` (out only); with `| None`
when it may be missing; with `Annotated[type, "text"]` when it has a description.
"""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from .blob import Blob

_NAME = re.compile("[a-z][a-z0-9_]{0,63}")


class Kind(str, Enum):
    """The type of a field in the contract."""

    UTF8 = "utf8"
    JSON = "json"
    I64 = "i64"
    F64 = "f64"
    BOOL = "bool"
    BLOB = "blob"
    DENSE = "dense"
    SPARSE = "sparse"
    MULTI = "multi"


#: Any value with a form in JSON. In a row it has been parsed.
Json = Annotated[Any, Kind.JSON]

#: A vector of floats. In a row it is a view of 32-bit floats; out, any sequence of numbers, as
#: many as the dimension that `Description.vector` sets. Values are rounded to 32 bits.
Dense = Annotated[Sequence[float], Kind.DENSE]

#: Any number of vectors of the same dimension.
Multi = Annotated[Sequence[Sequence[float]], Kind.MULTI]


@dataclass(frozen=True)
class Sparse:
    """A sparse vector: the dimensions that are not zero, ascending, and their values."""

    indices: Sequence[int] = field(default=())
    values: Sequence[float] = field(default=())


_KINDS: dict[Any, Kind] = {
    str: Kind.UTF8,
    int: Kind.I64,
    float: Kind.F64,
    bool: Kind.BOOL,
    bytes: Kind.BLOB,
    Blob: Kind.BLOB,
    Sparse: Kind.SPARSE,
}
_VECTORS = (Kind.DENSE, Kind.SPARSE, Kind.MULTI)


@dataclass(frozen=True)
class Field:
    """A field as declared."""

    name: str
    kind: Kind
    nullable: bool
    description: str


def inputs_of(row: type) -> list[Field]:
    """The input columns that a dataclass declares, in its order."""
    fields = _fields_of(row)
    for declared, hint in fields:
        if declared.kind in (Kind.SPARSE, Kind.MULTI) or hint is bytes:
            instead = "Blob" if hint is bytes else "a Dense vector"
            raise _wrong(row, declared.name, f"an input can not be of this type; take {instead}")
        if declared.kind is Kind.BLOB and declared.nullable:
            raise _wrong(row, declared.name, "a Blob can not be `| None`")
    return [declared for declared, _ in fields]


def outputs_of(document: type) -> list[Field]:
    """The output fields that a dataclass declares, in its order."""
    fields = _fields_of(document)
    for declared, hint in fields:
        if hint is Blob:
            raise _wrong(document, declared.name, "an output is `bytes`, a Blob is read only")
        if declared.kind in _VECTORS and declared.nullable:
            why = "a vector can not be `| None`; an absent sparse vector is `Sparse()`"
            raise _wrong(document, declared.name, why)
    return [declared for declared, _ in fields]


def _fields_of(declared: type) -> list[tuple[Field, Any]]:
    if not (isinstance(declared, type) and dataclasses.is_dataclass(declared)):
        raise TypeError(f"{declared!r} is not a dataclass: put @dataclass above the class")
    hints = get_type_hints(declared, include_extras=True)
    found = []
    for each in dataclasses.fields(declared):
        if not _NAME.fullmatch(each.name):
            why = "a name has at most 64 lower-case letters, digits and `_`, a letter first"
            raise _wrong(declared, each.name, why)
        hint, nullable, extras = unwrap(hints[each.name])
        kinds = [extra for extra in extras if isinstance(extra, Kind)]
        kind = kinds[0] if kinds else _KINDS.get(hint)
        if kind is None:
            raise _wrong(declared, each.name, f"{hint!r} is not the type of a field")
        found.append((Field(each.name, kind, nullable, text_of(extras)), hint))
    return found


def unwrap(hint: Any) -> tuple[Any, bool, list[Any]]:
    """A type without `Annotated` and `| None`, whether None is allowed, and what was noted."""
    extras: list[Any] = []
    nullable = False
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            hint, *noted = get_args(hint)
            extras.extend(noted)
        elif origin in (Union, types.UnionType) and type(None) in get_args(hint):
            others = [each for each in get_args(hint) if each is not type(None)]
            if len(others) != 1:
                return hint, True, extras
            nullable = True
            hint = others[0]
        else:
            return hint, nullable, extras


def text_of(extras: list[Any]) -> str:
    """The description among what `Annotated` notes, in one line."""
    texts = [extra for extra in extras if isinstance(extra, str) and not isinstance(extra, Kind)]
    return " ".join(" ".join(texts).split())


def _wrong(declared: type, name: str, why: str) -> TypeError:
    return TypeError(f"{declared.__name__}.{name}: {why}")
