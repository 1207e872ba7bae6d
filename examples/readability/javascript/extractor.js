/** How hard a text is to read, and a vector of its words. `../README.md` says what is computed. */

import { extractor } from "quarry-extractor";
import { fnv1a, remainder } from "./fnv.js";

const WORDS = /[A-Za-z0-9]+/g;
// From the first word since the end of the sentence before to the marks that end this one.
const SENTENCES = /[A-Za-z0-9][^.!?]*[.!?]+/g;

/** The automated readability index. */
function index(characters, words, sentences) {
  if (words === 0) return 0;
  const exact = (4.71 * characters) / words + (0.5 * words) / sentences - 21.43;
  return halfAwayFromZero(exact * 10_000) / 10_000;
}

/** Rounds; `Math.round` takes halves up, also below zero. */
function halfAwayFromZero(value) {
  const whole = Math.floor(Math.abs(value));
  const rounded = Math.abs(value) - whole >= 0.5 ? whole + 1 : whole;
  return value < 0 ? -rounded : rounded;
}

/** Counts words by hash, with a sign; the length of the vector is 1. */
function keywords(words, dimensions) {
  const buckets = new Float64Array(dimensions);
  for (const word of words) {
    const hash = fnv1a(word.toLowerCase());
    buckets[remainder(hash, dimensions)] += hash.high >= 2 ** 31 ? -1 : 1;
  }
  let squares = 0;
  for (const bucket of buckets) squares += bucket * bucket;
  // Nothing to point to: the first axis, because a vector of zeros has no direction.
  if (squares === 0) buckets[0] = squares = 1;
  const length = Math.sqrt(squares);
  return Float32Array.from(buckets, (bucket) => bucket / length);
}

export default extractor({
  summary: "Scores how hard a text is to read, with a vector of its words",
  parameters: {
    dimensions: {
      description: "Values of the keyword vector.",
      type: "integer",
      minimum: 8,
      maximum: 256,
      default: 32,
    },
  },
  inputs: {
    text: { type: "utf8", description: "The text that is scored." },
  },
  outputs: {
    words: { type: "i64", description: "How many words the text has." },
    sentences: { type: "i64", description: "How many sentences it has." },
    ari: {
      type: "f64",
      description:
        "The automated readability index: about the school grade it takes to read the text.",
    },
    keywords: {
      type: "dense",
      dimension: ({ dimensions }) => dimensions,
      distance: "cosine",
      description: "Its words, hashed into a vector of length 1.",
    },
  },
  create({ dimensions }) {
    return {
      extract({ text }, documents) {
        const words = text.match(WORDS) ?? [];
        const ends = text.match(SENTENCES) ?? [];
        const sentences = words.length > 0 ? Math.max(ends.length, 1) : 0;
        const characters = words.reduce((sum, word) => sum + word.length, 0);
        documents.push({
          words: words.length,
          sentences,
          ari: index(characters, words.length, sentences),
          keywords: keywords(words, dimensions),
        });
      },
      embedQuery: (text) => ({ keywords: keywords(text.match(WORDS) ?? [], dimensions) }),
    };
  },
});
