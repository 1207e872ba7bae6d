"""The documents of a tile, written column by column."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from .columns import Column

O_contra = TypeVar("O_contra", contravariant=True)


class Documents(Generic[O_contra]):
    """Takes the documents of a row. Each is written into the columns at once."""

    def __init__(self, document: type[O_contra], columns: list[Column]) -> None:
        self._document = document
        self._columns = columns
        self._count = 0

    def push(self, document: O_contra) -> None:
        """Adds a document. Raises what is wrong with a value: TypeError, ValueError."""
        if type(document) is not self._document:
            wanted, got = self._document.__name__, type(document).__name__
            raise TypeError(f"a document is a {wanted}, not a {got}")
        column = None
        try:
            for column in self._columns:
                column.put(getattr(document, column.name))
        except (TypeError, ValueError, OverflowError) as error:
            # Columns that got their value already are ahead of the others.
            self._truncate(self._count)
            where = "" if column is None else f"output `{column.name}`: "
            raise type(error)(f"{where}{error}") from error
        self._count += 1

    def __len__(self) -> int:
        """How many documents wait, those of earlier rows included."""
        return self._count

    def _truncate(self, count: int) -> None:
        for column in self._columns:
            column.truncate(count)
        self._count = count

    def _clear(self) -> None:
        self._truncate(0)

    def _bytes(self) -> int:
        return sum(column.bytes for column in self._columns)

    def _push_to(self, sink: Any, first: int) -> None:
        for column in self._columns:
            column.push_to(sink, first)
