/** How hard a text is to read, and a vector of its words. `../README.md` says what is computed. */

import { extractor } from "quarry-extractor";
import { fnv1a, remainder } from "./fnv.js";

const WORDS = /[A-Za-z0-9]+/g;
const WORD = /[A-Za-z0-9]/;
const ENDS = /[.!?]/;
const KEPT_MAX = 1 << 14;

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

/** How many sentences a text with words has: pieces with a word that end in a mark, at least 1. */
function sentencesOf(text) {
  const pieces = text.split(ENDS).slice(0, -1);
  return Math.max(pieces.filter((piece) => WORD.test(piece)).length, 1);
}

/** Hashes words into buckets. */
class Keywords {
  // Texts repeat their words, and the engine inside WebAssembly interprets each step of a hash.
  #places = new Map();

  constructor(dimensions) {
    this.dimensions = dimensions;
  }

  /** Counts words by bucket, with a sign; the length of the vector is 1. */
  vector(words) {
    const buckets = new Float64Array(this.dimensions);
    for (let at = 0; at < words.length; at++) {
      const place = this.#places.get(words[at]) ?? this.#place(words[at]);
      if (place >= 0) buckets[place] += 1;
      else buckets[~place] -= 1;
    }
    let squares = 0;
    for (const bucket of buckets) squares += bucket * bucket;
    // Nothing to point to: the first axis, because a vector of zeros has no direction.
    if (squares === 0) buckets[0] = squares = 1;
    const length = Math.sqrt(squares);
    return Float32Array.from(buckets, (bucket) => bucket / length);
  }

  /** The bucket of a word; its complement where the word counts down. */
  #place(word) {
    const hash = fnv1a(word.toLowerCase());
    const bucket = remainder(hash, this.dimensions);
    const place = hash.high >= 2 ** 31 ? ~bucket : bucket;
    if (this.#places.size === KEPT_MAX) this.#places.clear();
    this.#places.set(word, place);
    return place;
  }
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
    const keywords = new Keywords(dimensions);
    return {
      extract({ text }, documents) {
        const words = text.match(WORDS) ?? [];
        const sentences = words.length > 0 ? sentencesOf(text) : 0;
        documents.push({
          words: words.length,
          sentences,
          ari: index(words.join("").length, words.length, sentences),
          keywords: keywords.vector(words),
        });
      },
      embedQuery: (text) => ({ keywords: keywords.vector(text.match(WORDS) ?? []) }),
    };
  },
});
