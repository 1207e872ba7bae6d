"""The one class an author writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, Union, get_args, get_origin

from .description import Description
from .documents import Documents
from .fields import Sparse

P = TypeVar("P")
I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741

#: What `embed_query` answers: for each field that can be searched a dense vector, a sparse one, or
#: several dense ones.
Query = Mapping[str, Union[Sequence[float], Sparse, Sequence[Sequence[float]]]]


@dataclass(frozen=True)
class NoParameters:
    """For extractors without parameters."""


class Extractor(ABC, Generic[P, I, O]):
    """Cuts rows into documents: `class WordCount(Extractor[Parameters, Row, Count])`.

    One value lives for many batches of the same collection: build tables, patterns and buffers in
    `__init__`, use them in `extract`. The host may throw an instance away at any row and start
    another, so a document must depend on nothing but its row and the parameters.
    """

    #: Name and version, out of `extractor.toml`: set when the component is built.
    name: ClassVar[str] = "unnamed"
    version: ClassVar[str] = "0.0.0"
    #: One sentence for listings; without it the first line of the class's docstring.
    summary: ClassVar[str] = ""

    def __init__(self, parameters: P) -> None:
        """Builds the extractor, or raises ValueError with the parameter that is wrong and why."""

    def describe(self, description: Description) -> None:
        """Completes the description: dimensions, the position field, memory."""

    @abstractmethod
    def extract(self, row: I, documents: Documents[O]) -> None:
        """Pushes the documents of one row, none to many, or raises Reject.

        After a Reject what was pushed for this row is taken back and the row becomes a dead letter;
        the other rows are not touched. Another exception does the same with the code `exception`.
        """

    def embed_query(self, text: str) -> Query:
        """The vectors a search for `text` should use. Only an extractor that has this method is
        described as one that embeds queries."""
        raise NotImplementedError(f"{self.name} does not embed queries")


def types_of(extractor: type[Extractor[Any, Any, Any]]) -> tuple[type, type, type]:
    """The dataclasses of parameters, rows and documents that a class was declared with."""
    for owner in extractor.__mro__:
        for base in owner.__dict__.get("__orig_bases__", ()):
            if get_origin(base) is Extractor:
                parameters, row, document = get_args(base)
                return parameters, row, document
    raise TypeError(
        f"{extractor.__name__} does not say what it takes and makes: "
        "write class NAME(Extractor[Parameters, Row, Document])"
    )


def summary_of(extractor: type[Extractor[Any, Any, Any]]) -> str:
    """One sentence about it."""
    text = extractor.summary or (extractor.__dict__.get("__doc__") or "").strip()
    return text.partition("\n")[0].rstrip(".")[:500]


def embeds_queries(extractor: type[Extractor[Any, Any, Any]]) -> bool:
    """Whether the class has its own `embed_query`."""
    return extractor.embed_query is not Extractor.embed_query
