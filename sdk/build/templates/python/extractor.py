"""Counts the words of a text, and makes a vector of its letters."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from quarry_extractor import (
    Dense,
    Description,
    Distance,
    Documents,
    Extractor,
    Query,
    Range,
    Reject,
)

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
WORD = re.compile("[A-Za-z0-9]+")


@dataclass(frozen=True)
class Parameters:
    letters_min: Annotated[int, "Words with fewer letters do not count.", Range(1, 100)] = 1


@dataclass(frozen=True)
class Row:
    text: Annotated[str, "The text whose words are counted."]


@dataclass(frozen=True)
class Document:
    words: Annotated[int, "How many words the text has."]
    letters: Annotated[Dense, "How often each letter comes."]


class Letters(Extractor[Parameters, Row, Document]):
    """Counts words and letters."""

    def __init__(self, parameters: Parameters) -> None:
        self.letters_min = parameters.letters_min

    def describe(self, description: Description) -> None:
        description.vector("letters", len(ALPHABET), Distance.COSINE)

    def extract(self, row: Row, documents: Documents[Document]) -> None:
        letters = count_letters(row.text)
        if not any(letters):
            raise Reject("no_letters", "the text has no letters")
        words = [word for word in WORD.findall(row.text) if len(word) >= self.letters_min]
        documents.push(Document(words=len(words), letters=letters))

    def embed_query(self, text: str) -> Query:
        letters = count_letters(text)
        if not any(letters):
            raise ValueError("the query has no letters")
        return {"letters": letters}


def count_letters(text: str) -> list[int]:
    """How often each of the letters a to z comes, whatever its case."""
    # `lower` of a whole text would make ASCII letters of others, such as the Kelvin sign.
    counts = Counter(text)
    return [counts[letter] + counts[letter.upper()] for letter in ALPHABET]
