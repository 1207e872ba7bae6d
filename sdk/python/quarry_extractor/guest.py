"""The component's exports, made of an extractor. Imported inside WebAssembly only."""

from __future__ import annotations

import builtins
import codecs
import gc
import importlib
import inspect
import io
import json
import linecache
import os
import sys
import time
import traceback
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

import wit_world.exports
import wit_world.imports.log as host_log
from componentize_py_types import Err

from . import log
from .blob import BlobError
from .extractor import Extractor
from .runner import Runner, static_description


#: Encodings of texts that can be decoded beside UTF-8.
_CODECS = (
    *("ascii", "latin-1", "iso8859-2", "iso8859-15", "cp437", "cp850", "cp1250", "cp1251"),
    *("cp1252", "koi8-r", "mac-roman", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32"),
    *("utf-32-be", "utf-32-le", "shift_jis", "euc-jp", "gb18030", "big5", "euc-kr", "idna"),
    *("punycode", "unicode_escape", "hex", "base64"),
)


_NO_RANDOMNESS = "randomness; random.Random(seed) works"


class BuildError(Exception):
    """The project can not become a component."""


def exports(module: ModuleType, name: str, version: str) -> type:
    """The class that componentize-py looks for, for the one extractor in the author's module."""
    extractor = _only_extractor(module)
    extractor.name, extractor.version = name, version
    # Mistakes in the declarations come out now, not in the host.
    static_description(extractor)
    _keep_what_is_read_late()
    gc.collect()

    class Exports(wit_world.exports.Extractor):
        runner: Runner | None = None

        def describe(self) -> str:
            _without_wasi()
            try:
                description = Runner(extractor, {}).description
            except ValueError:
                # It does not start with its defaults: `configure` will say why.
                description = static_description(extractor)
            return json.dumps(description.to_json())

        def configure(self, parameters: str) -> str:
            _without_wasi()
            try:
                Exports.runner = Runner(extractor, json.loads(parameters))
            except ValueError as error:
                raise Err(str(error)) from None
            except Exception as error:
                raise Err(f"{type(error).__name__}: {error}") from error
            return json.dumps(Exports.runner.description.to_json())

        def run(self, input: Any, output: Any) -> None:
            if Exports.runner is None:
                raise Err("run was called before configure")
            try:
                Exports.runner.run(input, _HostCells(input), output)
            except Exception as error:
                # Uncaught it would be a trap that says nothing.
                raise Err(f"{type(error).__name__}: {error}") from None

        def embed_query(self, text: str) -> str:
            if Exports.runner is None:
                raise Err("embed-query was called before configure")
            try:
                return Exports.runner.embed_query(text)
            except ValueError as error:
                raise Err(str(error)) from None
            except Exception as error:
                raise Err(f"{type(error).__name__}: {error}") from error

    return Exports


def _only_extractor(module: ModuleType) -> type[Extractor[Any, Any, Any]]:
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Extractor) and not inspect.isabstract(each)
    ]
    own = [each for each in found if each.__module__ == module.__name__] or found
    if len(own) != 1:
        names = ", ".join(each.__name__ for each in own) or "none"
        raise BuildError(
            f"module `{module.__name__}` must have one class derived from Extractor, not {names}"
        )
    return own[0]


def _keep_what_is_read_late() -> None:
    """There are no files later: imports what is imported when first used, reads source lines."""
    for codec in _CODECS:
        codecs.lookup(codec)
    importlib.import_module("_strptime")
    # componentize-py imports it after the project.
    importlib.import_module("random")
    try:
        raise ValueError
    except ValueError:
        traceback.format_exc()
    for module in list(sys.modules.values()):
        _keep_lines(getattr(module, "__file__", None) or "")
    linecache.checkcache = linecache.updatecache = lambda *_, **__: []
    # A traceback parses its lines to underline parts of them. What does not parse alone would be a
    # SyntaxError, for which the interpreter looks for a file.
    traceback._extract_caret_anchors_from_line_segment = lambda _: None
    traceback.StackSummary._should_show_carets = lambda *_: False


def _keep_lines(file: str) -> None:
    """The lines of a module of the project, for tracebacks."""
    try:
        with open(file, encoding="utf-8") as source:
            text = source.read() if "/lib/python" not in file and file.endswith(".py") else ""
    except (OSError, ValueError):
        return
    # Without a time of change, which nobody can ask for, the lines are taken as they are.
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)


class _TooLate:
    """Asked for a module that nobody else has, says why it is not found."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        raise ModuleNotFoundError(
            f"module `{name}` was not imported when the component was built: import it at the top",
            name=name,
        )


class _HostCells:
    """Blob cells of a batch; the host's errors become rejections."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def cell_len(self, column: int, row: int) -> int:
        try:
            return int(self.batch.cell_len(column, row))
        except Err as error:
            raise _unreadable(error) from None

    def cell_read(self, column: int, row: int, offset: int, length: int) -> bytes:
        try:
            return bytes(self.batch.cell_read(column, row, offset, length))
        except Err as error:
            raise _unreadable(error) from None


def _unreadable(error: Any) -> BlobError:
    return BlobError("blob_unreadable", f"cannot read the blob: {error.value}")


class _LogLines(io.TextIOBase):
    """What is printed, a line of the log a line."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            host_log.write(self.level, line)
        return len(text)


def _without_wasi() -> None:
    """Turns what would trap without a word into exceptions that say what is missing.

    Done when the component runs: while it is built, errors go to a real console.
    """
    if isinstance(sys.stdout, _LogLines):
        return
    finders = [finder for finder in sys.meta_path if finder is not PathFinder]
    sys.meta_path[:] = [*finders, _TooLate()]
    log.send_to(host_log.write)
    sys.stdout = _LogLines(3)
    sys.stderr = _LogLines(2)

    def missing(what: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise OSError(f"an extractor has no {what}")

        return refuse

    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep"):
        setattr(time, name, missing("clock"))
    os.urandom = missing(_NO_RANDOMNESS)
    # Its generator was seeded when the component was built, and goes on from row to row.
    if shared := sys.modules.get("random"):
        for name in shared.__all__:
            if isinstance(getattr(getattr(shared, name), "__self__", None), shared.Random):
                setattr(shared, name, missing(_NO_RANDOMNESS))
    os.listdir = os.scandir = os.stat = missing("files")  # type: ignore[assignment]
    builtins.open = io.open = missing("files")  # type: ignore[assignment]
