// npm install --no-package-lock && node --test

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Harness } from "quarry-extractor/testing";
import readability from "../extractor.js";

const read = (path) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"));

for (const name of ["golden", "dimensions"]) {
  test(`the fixture ${name} has the documents that all languages make`, () => {
    const fixture = read(`fixtures/${name}.json`);
    const expected = read(`expected/${name}.json`);
    const harness = new Harness(readability, fixture.parameters);
    const answers = harness.rows(fixture.rows);
    assert.equal(answers.length, expected.documents.length);
    for (const [at, [document]] of answers.entries()) {
      const fields = expected.documents[at].fields;
      assert.deepEqual({ ...document, keywords: null }, { ...fields, keywords: null });
      same(document.keywords, fields.keywords);
    }
    for (const [at, query] of fixture.queries.entries()) {
      same(harness.embedQuery(query).keywords, expected.queries[at].keywords);
    }
  });
}

/** Vectors are equal when the nearest 32-bit floats are. */
function same(found, expected) {
  assert.equal(found.length, expected.length);
  found.forEach((value, at) => assert.equal(value, Math.fround(expected[at])));
}
