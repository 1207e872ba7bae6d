"""An extractor with every type of field, for the tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from quarry_extractor import (
    Blob,
    Dense,
    Description,
    Distance,
    Documents,
    Extractor,
    Json,
    Length,
    Multi,
    ParameterError,
    Query,
    Range,
    Reject,
    Sparse,
    log,
)


@dataclass(frozen=True)
class Part:
    size: Annotated[int, Range(minimum=1)] = 4


@dataclass(frozen=True)
class Parameters:
    """How everything is made."""

    dimension: Annotated[int, "Values of a vector.", Range(1, 100)] = 2
    mode: Literal["plain", "odd"] = "plain"
    names: Annotated[list[str], Length(0, 3)] = field(default_factory=list)
    weight: float = 1.0
    limit: int | None = None
    part: Part = Part()
    scalars_only: bool = False
    refuse: bool = False


@dataclass(frozen=True)
class Row:
    name: Annotated[str, "Comes out again."]
    count: int
    ratio: float
    flag: bool
    facts: Json
    file: Blob
    vector: Dense
    note: str | None = None
    size: int | None = None
    more: Json | None = None
    other: Dense | None = None


@dataclass(frozen=True)
class Document:
    name: str
    count: int
    ratio: float
    flag: bool
    facts: Json
    file: bytes
    dense: Dense
    terms: Sparse
    tokens: Multi
    note: str | None
    size: int | None
    more: Json | None
    ordinal: int


class Everything(Extractor[Parameters, Row, Document]):
    """Makes everything of everything."""

    def __init__(self, parameters: Parameters) -> None:
        if parameters.refuse:
            raise ParameterError("parameter `refuse`: as asked for")
        self.parameters = parameters

    def describe(self, description: Description) -> None:
        dimension = self.parameters.dimension
        if self.parameters.scalars_only:
            description.omit("dense").omit("terms").omit("tokens")
        else:
            description.vector("dense", dimension, Distance.COSINE)
            description.vector("tokens", dimension, "euclid")
        description.position("ordinal").memory_bytes(40 << 20).varies()

    def extract(self, row: Row, documents: Documents[Document]) -> None:
        if row.name == "reject":
            documents.push(self.document(row, 0, b""))
            raise Reject("as_asked", "rejected by name")
        if row.name == "transient":
            raise Reject.transient("come back later")
        if row.name == "raise":
            documents.push(self.document(row, 0, b""))
            raise KeyError("missing")
        log.debug(row.name)
        content = row.file.read_all(1 << 20)
        for ordinal in range(row.count):
            documents.push(self.document(row, ordinal, content))

    def document(self, row: Row, ordinal: int, content: bytes) -> Document:
        values = list(row.vector)
        return Document(
            name=row.name,
            count=row.count,
            ratio=row.ratio * self.parameters.weight,
            flag=row.flag,
            facts=row.facts,
            file=content,
            dense=values,
            terms=Sparse([1, 7 + ordinal], [0.5, row.ratio]) if ordinal else Sparse(),
            tokens=[values] * (ordinal + 1),
            note=row.note,
            size=row.size,
            more=row.more if row.other is None else list(row.other),
            ordinal=ordinal,
        )

    def embed_query(self, text: str) -> Query:
        if text == "wrong":
            raise ValueError("no such text")
        return {"dense": [len(text), 0.1], "terms": Sparse([3], [0.1]), "tokens": [[1, 2], [3, 4]]}
