"""What an extractor is, takes and makes, as `wit/description.schema.json` defines it."""

from __future__ import annotations

from enum import Enum
from typing import Any

from .fields import Field, Kind

#: The contract this package was written for.
API_VERSION = "0.1.0"
#: Memory an extractor is expected to need when it says nothing else: the interpreter and its tiles.
MEMORY_BYTES_DEFAULT = 32 << 20
DIMENSION_MAX = 65_536


class Distance(str, Enum):
    """How two vectors are compared in search."""

    #: The angle. A vector of zeros has none and is refused.
    COSINE = "cosine"
    #: The dot product: for vectors of length 1, or that may be all zero.
    DOT = "dot"
    #: The straight line.
    EUCLID = "euclid"
    #: The sum of the differences.
    MANHATTAN = "manhattan"


class Description:
    """What `Extractor.describe` completes. Most of it follows from the dataclasses."""

    def __init__(
        self,
        name: str,
        version: str,
        summary: str,
        inputs: list[Field],
        outputs: list[Field],
        parameters: dict[str, Any],
        queries: bool,
    ) -> None:
        self.name = name
        self.version = version
        self.summary = summary
        self.inputs = inputs
        self.outputs = list(outputs)
        self.parameters = parameters
        self._queries = queries
        self._vectors: dict[str, tuple[int, Distance]] = {}
        self._position: str | None = None
        self._capabilities: list[str] = []
        self._deterministic = True
        self._memory_bytes = MEMORY_BYTES_DEFAULT

    def vector(self, field: str, dimension: int, distance: Distance | str) -> Description:
        """Sets dimension (1 to 65,536) and distance of a Dense or Multi field. Each needs them."""
        if self._output(field).kind not in (Kind.DENSE, Kind.MULTI):
            raise ValueError(f"output `{field}` is not a dense or multi vector")
        if not 1 <= dimension <= DIMENSION_MAX:
            raise ValueError(
                f"output `{field}` has the dimension {dimension}, 1 to {DIMENSION_MAX} are allowed"
            )
        self._vectors[field] = (dimension, Distance(distance))
        return self

    def omit(self, field: str) -> Description:
        """Leaves an output out under the current parameters; what is pushed to it is dropped."""
        self.outputs.remove(self._output(field))
        return self

    def position(self, field: str) -> Description:
        """Names the int output that is a document's position among the documents of its row.

        Ids are made of it, so it must be unique within a row. Without it the position is the
        ordinal.
        """
        if self._output(field).kind is not Kind.I64:
            raise ValueError(f"position `{field}` is not an int output")
        self._position = field
        return self

    def memory_bytes(self, count: int) -> Description:
        """How many bytes of memory an instance needs in all: a hint for scheduling, no limit."""
        self._memory_bytes = count
        return self

    def capability(self, name: str) -> Description:
        """Asks for a capability. It is given only when the operator grants it."""
        self._capabilities.append(name)
        return self

    def varies(self) -> Description:
        """Says that the same row under the same parameters may give other documents the next time.

        Its documents are made anew in every batch, never taken from an earlier one.
        """
        self._deterministic = False
        return self

    def dimension_of(self, field: str) -> int:
        """The dimension of a Dense or Multi field."""
        return self._vectors[field][0]

    def distance_of(self, field: str) -> Distance:
        """The distance of a Dense or Multi field."""
        return self._vectors[field][1]

    def check(self) -> None:
        """What the host relies on, with errors that name the field."""
        for output in self.outputs:
            if output.kind in (Kind.DENSE, Kind.MULTI) and output.name not in self._vectors:
                raise ValueError(
                    f"output `{output.name}` has no dimension: set it with Description.vector"
                )
        if self._position is not None:
            self._output(self._position)

    def to_json(self) -> dict[str, Any]:
        """The contract's JSON."""
        return {
            "api": API_VERSION,
            "name": self.name,
            "version": self.version,
            "summary": self.summary,
            "inputs": [
                {
                    "name": each.name,
                    "type": each.kind.value,
                    "required": not each.nullable,
                    "description": each.description,
                }
                for each in self.inputs
            ],
            "outputs": [self._output_json(each) for each in self.outputs],
            "position": self._position,
            "parameters": self.parameters,
            "capabilities": self._capabilities,
            "deterministic": self._deterministic,
            "memory_bytes": self._memory_bytes,
            "queries": self._queries,
        }

    def _output_json(self, field: Field) -> dict[str, Any]:
        found: dict[str, Any] = {"name": field.name, "type": field.kind.value}
        if field.name in self._vectors:
            dimension, distance = self._vectors[field.name]
            found |= {"dimension": dimension, "distance": distance.value}
        return found | {"description": field.description}

    def _output(self, name: str) -> Field:
        for output in self.outputs:
            if output.name == name:
                return output
        raise ValueError(f"`{name}` is not an output of {self.name}")
