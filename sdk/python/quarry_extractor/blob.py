"""Large cells, read in ranges."""

from __future__ import annotations

import io
from typing import Protocol

from .reject import Reject

#: Most bytes one read of the host brings: larger reads are cut into several.
READ_BYTES_MAX = 64 << 10


class Cells(Protocol):
    """Access to blob cells by column and row of the batch. Failures are `BlobError`."""

    def cell_len(self, column: int, row: int) -> int: ...

    def cell_read(self, column: int, row: int, offset: int, length: int) -> bytes: ...


class BlobError(Reject):
    """The blob can not be read, or is larger than asked for. Unless caught, it rejects the row."""


class Blob:
    """A file, an upload or a reference: its bytes stay with the host until they are read."""

    __slots__ = ("_cells", "_column", "_row")

    def __init__(self, cells: Cells, column: int, row: int) -> None:
        self._cells = cells
        self._column = column
        self._row = row

    def __len__(self) -> int:
        """Its size in bytes."""
        return self._cells.cell_len(self._column, self._row)

    def __bool__(self) -> bool:
        return True

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset` on; fewer only at the end."""
        pieces = []
        while length > 0:
            wanted = min(length, READ_BYTES_MAX)
            piece = self._cells.cell_read(self._column, self._row, offset, wanted)
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_all(self, limit: int) -> bytes:
        """All bytes; a BlobError when there are more than `limit`."""
        size = len(self)
        if size > limit:
            message = f"the blob has {size} bytes, the limit is {limit}"
            raise BlobError("blob_too_large", message)
        return self.read(0, size)

    def open(self) -> io.BufferedReader:
        """A file to read and seek in, for libraries that take one (`zipfile`, `tarfile`)."""
        return io.BufferedReader(_Raw(self), READ_BYTES_MAX)


class _Raw(io.RawIOBase):
    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._at
        elif whence == io.SEEK_END:
            offset += len(self._blob)
        if offset < 0:
            raise ValueError(f"can not seek to {offset}")
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def readinto(self, into) -> int:  # type: ignore[no-untyped-def]
        piece = self._blob.read(self._at, len(into))
        into[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
