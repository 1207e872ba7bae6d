"""Write a Quarry extractor: a class that takes rows and makes documents.

Rows, documents and parameters are dataclasses; their fields' types are the contract's types. See
the README for a complete first extractor.
"""

from . import log
from .blob import Blob, BlobError
from .description import Description, Distance
from .documents import Documents
from .extractor import Extractor, NoParameters, Query
from .fields import Dense, Json, Kind, Multi, Sparse
from .parameters import Length, ParameterError, Pattern, Range
from .reject import Reject

__all__ = [
    "Blob",
    "BlobError",
    "Dense",
    "Description",
    "Distance",
    "Documents",
    "Extractor",
    "Json",
    "Kind",
    "Length",
    "Multi",
    "NoParameters",
    "ParameterError",
    "Pattern",
    "Query",
    "Range",
    "Reject",
    "Sparse",
    "log",
]
