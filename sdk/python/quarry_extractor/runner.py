"""The tile loop: the same code inside WebAssembly and natively."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from typing import Any

from . import log, parameters
from .blob import Cells
from .columns import column_of, floats, sparse
from .description import Description
from .documents import Documents
from .extractor import Extractor, Query, embeds_queries, summary_of, types_of
from .fields import Kind, Sparse, inputs_of, outputs_of
from .reject import UNEXPECTED, Reject
from .rows import reader

#: Output that waits before it is handed over, even within a tile.
FLUSH_BYTES = 1 << 20


class Runner:
    """A configured extractor with its buffers."""

    def __init__(self, extractor: type[Extractor[Any, Any, Any]], given: Any) -> None:
        parameters_type, row, document = types_of(extractor)
        self.row = row
        self.extractor = extractor(parameters.parse(parameters_type, given))
        self.description = static_description(extractor)
        self.extractor.describe(self.description)
        self.description.check()
        outputs = enumerate(self.description.outputs)
        columns = [column_of(field, declared, self.description) for field, declared in outputs]
        self.documents: Documents[Any] = Documents(document, columns)
        self.counts: list[int] = []
        self.rejects: list[tuple[int, Reject]] = []

    def run(self, batch: Any, cells: Cells, sink: Any) -> None:
        """Extracts the rows of a batch. `batch` and `sink` have the methods of the contract."""
        self._clear()
        rows = batch.rows()
        tile = max(batch.tile(), 1)
        for start in range(0, rows, tile):
            self._tile(batch, cells, sink, start, min(start + tile, rows))

    def embed_query(self, text: str) -> str:
        """The vectors of a search text, as the contract's JSON."""
        query = self.extractor.embed_query(text)
        return json.dumps(query_json(query, self.description), allow_nan=False)

    def _tile(self, batch: Any, cells: Cells, sink: Any, start: int, end: int) -> None:
        inputs = enumerate(self.description.inputs)
        readers = [reader(batch, cells, at, declared, start, end) for at, declared in inputs]
        row_type, extract, documents = self.row, self.extractor.extract, self.documents
        flushed = start
        for row in range(start, end):
            before = len(documents)
            try:
                extract(row_type(*[read(row - start) for read in readers]), documents)
            except Reject as reject:
                documents._truncate(before)
                self.rejects.append((row, reject))
            except (Exception, SystemExit) as error:
                documents._truncate(before)
                log.error(traceback.format_exc())
                self.rejects.append((row, Reject(UNEXPECTED, _in_short(error))))
            self.counts.append(len(documents) - before)
            if documents._bytes() > FLUSH_BYTES:
                self._flush(sink, flushed)
                flushed = row + 1
        self._flush(sink, flushed)

    def _flush(self, sink: Any, row: int) -> None:
        """Hands the rows from `row` on over and empties the buffers."""
        if self.counts:
            first = sink.documents(row, self.counts)
            if len(self.documents):
                self.documents._push_to(sink, first)
            for rejected, reject in self.rejects:
                sink.reject(rejected, reject.code, reject.message)
        self._clear()

    def _clear(self) -> None:
        self.documents._clear()
        self.counts = []
        self.rejects = []


def static_description(extractor: type[Extractor[Any, Any, Any]]) -> Description:
    """What follows from the declarations alone."""
    parameters_type, row, document = types_of(extractor)
    return Description(
        name=extractor.name,
        version=extractor.version,
        summary=summary_of(extractor),
        inputs=inputs_of(row),
        outputs=outputs_of(document),
        parameters=parameters.schema_of(parameters_type),
        queries=embeds_queries(extractor),
    )


def describe(extractor: type[Extractor[Any, Any, Any]]) -> Description:
    """What an extractor is with its default parameters."""
    return Runner(extractor, {}).description


def query_json(query: Query, description: Description) -> dict[str, Any]:
    """Vectors as the contract's JSON: the very 32-bit floats."""
    kinds = {output.name: output.kind for output in description.outputs}
    found: dict[str, Any] = {}
    for name, vector in query.items():
        kind = kinds.get(name)
        if kind is Kind.SPARSE and isinstance(vector, Sparse):
            indices, values = sparse(vector)
            found[name] = {"indices": indices, "values": values.tolist()}
        elif kind is Kind.MULTI and isinstance(vector, Sequence):
            found[name] = [floats(each).tolist() for each in vector]
        elif kind is Kind.DENSE:
            found[name] = floats(vector).tolist()
        else:
            raise TypeError(f"the query has `{name}`, which is no output of that type")
    return found


def _in_short(error: BaseException) -> str:
    """The exception, and the line of the extractor that it came from."""
    text = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "quarry_extractor" not in frame.filename]
    if own:
        file = own[-1].filename.rpartition("/")[2]
        text += f" ({file}, line {own[-1].lineno})"
    return text
