/** Counts the words of a text, and makes a vector of its letters. */

import { extractor, Reject } from "quarry-extractor";

const FIRST = "a".charCodeAt(0);
const LETTERS = 26;

/** How often each of the letters a to z comes, whatever its case. */
function countLetters(text) {
  const counts = new Float32Array(LETTERS);
  for (const letter of text.match(/[A-Za-z]/g) ?? []) {
    counts[letter.toLowerCase().charCodeAt(0) - FIRST] += 1;
  }
  return counts;
}

export default extractor({
  summary: "Counts words and letters",
  parameters: {
    letters_min: {
      description: "Words with fewer letters do not count.",
      type: "integer",
      minimum: 1,
      maximum: 100,
      default: 1,
    },
  },
  inputs: {
    text: { type: "utf8", description: "The text whose words are counted." },
  },
  outputs: {
    words: { type: "i64", description: "How many words the text has." },
    letters: {
      type: "dense",
      dimension: LETTERS,
      distance: "cosine",
      description: "How often each letter comes.",
    },
  },
  create({ letters_min }) {
    return {
      extract({ text }, documents) {
        const letters = countLetters(text);
        if (!letters.some(Boolean)) throw new Reject("no_letters", "the text has no letters");
        const words = (text.match(/[A-Za-z0-9]+/g) ?? []).filter((w) => w.length >= letters_min);
        documents.push({ words: words.length, letters });
      },
      embedQuery(text) {
        const letters = countLetters(text);
        if (!letters.some(Boolean)) throw new Error("the query has no letters");
        return { letters };
      },
    };
  },
});
