"""How hard a text is to read, and a vector of its words. `../README.md` says what is computed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from quarry_extractor import Dense, Description, Distance, Documents, Extractor, Query, Range

WORD = re.compile(rb"[A-Za-z0-9]+")
# From the first word since the end of the sentence before to the marks that end this one.
SENTENCE = re.compile(rb"[A-Za-z0-9][^.!?]*[.!?]+")

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
BITS = (1 << 64) - 1


@dataclass(frozen=True)
class Parameters:
    dimensions: Annotated[int, "Values of the keyword vector.", Range(8, 256)] = 32


@dataclass(frozen=True)
class Row:
    text: Annotated[str, "The text that is scored."]


@dataclass(frozen=True)
class Measures:
    words: Annotated[int, "How many words the text has."]
    sentences: Annotated[int, "How many sentences it has."]
    ari: Annotated[
        float, "The automated readability index: about the school grade it takes to read the text."
    ]
    keywords: Annotated[Dense, "Its words, hashed into a vector of length 1."]


class Readability(Extractor[Parameters, Row, Measures]):
    """Scores how hard a text is to read, with a vector of its words."""

    def __init__(self, parameters: Parameters) -> None:
        self.dimensions = parameters.dimensions

    def describe(self, description: Description) -> None:
        description.vector("keywords", self.dimensions, Distance.COSINE)

    def extract(self, row: Row, documents: Documents[Measures]) -> None:
        text = row.text.encode()
        words = WORD.findall(text)
        sentences = len(SENTENCE.findall(text))
        if words:
            sentences = max(sentences, 1)
        documents.push(
            Measures(
                words=len(words),
                sentences=sentences,
                ari=index(sum(map(len, words)), len(words), sentences),
                keywords=self.vector(words),
            )
        )

    def embed_query(self, text: str) -> Query:
        return {"keywords": self.vector(WORD.findall(text.encode()))}

    def vector(self, words: list[bytes]) -> list[float]:
        buckets = [0.0] * self.dimensions
        for word in words:
            number = fnv1a(word.lower())
            buckets[number % self.dimensions] += -1.0 if number >> 63 else 1.0
        squares = 0.0
        for bucket in buckets:
            squares += bucket * bucket
        if squares == 0.0:
            # Nothing to point to: the first axis, because a vector of zeros has no direction.
            return [1.0] + [0.0] * (self.dimensions - 1)
        length = math.sqrt(squares)
        return [bucket / length for bucket in buckets]


def index(characters: int, words: int, sentences: int) -> float:
    """The automated readability index."""
    if words == 0:
        return 0.0
    exact = 4.71 * characters / words + 0.5 * words / sentences - 21.43
    return half_away_from_zero(exact * 10_000.0) / 10_000.0


def half_away_from_zero(value: float) -> float:
    """Rounds; Python's own `round` takes halves to the even neighbour."""
    whole = math.floor(abs(value))
    if abs(value) - whole >= 0.5:
        whole += 1
    return math.copysign(whole, value)


# Texts repeat their words, and a hash in Python costs a step for each byte.
@lru_cache(maxsize=1 << 14)
def fnv1a(word: bytes) -> int:
    """FNV-1a with 64 bits."""
    number = FNV_OFFSET
    for byte in word:
        number = (number ^ byte) * FNV_PRIME & BITS
    return number
