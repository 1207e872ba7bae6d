// npm install && npm test

import assert from "node:assert/strict";
import { test } from "node:test";
import { Harness } from "quarry-extractor/testing";
import letters from "./extractor.js";

test("short words do not count", () => {
  const [document] = new Harness(letters, { letters_min: 3 }).row({ text: "To be, or not to be!" });
  assert.equal(document.words, 1);
});

test("a text without letters is rejected", () => {
  assert.throws(() => new Harness(letters).row({ text: "2026" }), { code: "no_letters" });
});
