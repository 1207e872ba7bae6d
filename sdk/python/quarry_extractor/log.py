"""The log of the batch. Lines are bounded: the host drops and counts what is too much.

The standard `logging` needs a clock, which an extractor has not. `print` works: inside WebAssembly
its lines go to this log at level info, and those to `sys.stderr` at level warn.
"""

from __future__ import annotations

import sys
from typing import Callable

_LEVELS = {1: "error", 2: "warn", 3: "info", 4: "debug", 5: "trace"}


def _to_stderr(level: int, message: str) -> None:
    print(f"[{_LEVELS[level]}] {message}", file=sys.stderr)


_write: Callable[[int, str], None] = _to_stderr


def send_to(write: Callable[[int, str], None]) -> None:
    """Sends what is logged from now on to `write`, with its level from 1 (error) to 5 (trace)."""
    global _write
    _write = write


def error(message: str) -> None:
    """Something failed."""
    _write(1, message)


def warn(message: str) -> None:
    """Something is odd."""
    _write(2, message)


def info(message: str) -> None:
    """Something worth knowing, rarely."""
    _write(3, message)


def debug(message: str) -> None:
    """For whoever looks for a mistake."""
    _write(4, message)


def trace(message: str) -> None:
    """The same, in detail."""
    _write(5, message)
