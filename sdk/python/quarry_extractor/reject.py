"""Why a row could not be extracted."""

from __future__ import annotations

#: The code of what may succeed when it is tried again: `quarry batch retry --transient` takes it.
TRANSIENT = "unavailable"
#: The code of an exception that the extractor did not expect.
UNEXPECTED = "exception"


class Reject(Exception):
    """Raised in `extract`, it turns the row into a dead letter and leaves the others alone.

    `code` is for programs: short, lower case, stable, like `bad_pdf`. `message` is for people: it
    names what is wrong with this row. The host cuts what is too long (64 bytes, 4 KiB).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    @classmethod
    def transient(cls, message: str) -> Reject:
        """A row that may succeed later, unchanged, because what it refers to is missing now."""
        return Reject(TRANSIENT, message)
