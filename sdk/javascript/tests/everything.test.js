import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { extractor, Reject } from "quarry-extractor";
import { Harness } from "quarry-extractor/testing";
import { sendTo } from "../src/log.js";
import everything from "./everything/extractor.js";

const TENTH = 0.10000000149011612;

const row = (changes) => ({
  name: "née",
  count: 2,
  ratio: 0.5,
  flag: true,
  facts: { a: [1, null] },
  file: [0, 255],
  vector: [1, 0.1],
  ...changes,
});

let lines;
beforeEach(() => {
  lines = [];
  sendTo((level, line) => lines.push([level, line]));
});

test("every type comes out as it went in", () => {
  const [first, second] = new Harness(everything).row(row());
  assert.deepEqual(second, {
    name: "née",
    count: 2,
    ratio: 0.5,
    flag: true,
    facts: { a: [1, null] },
    file: Uint8Array.of(0, 255),
    dense: [1, TENTH],
    terms: { indices: [1, 8], values: [0.5, 0.5] },
    tokens: [[1, TENTH], [1, TENTH]],
    note: null,
    size: null,
    more: null,
    ordinal: 1,
  });
  assert.deepEqual(first.terms, { indices: [], values: [] });
  assert.deepEqual(lines, [[4, "née"]]);
});

test("rows keep their order over tiles and rejections", () => {
  const rows = Array.from({ length: 10 }, (_, at) => row({ name: String(at), count: at % 4 }));
  rows[4].name = "reject";
  rows[5].name = "transient";
  rows[6].name = "raise";
  Object.assign(rows[7], { note: "there", size: -(2n ** 63n), more: [1], other: [2] });
  // Parameters go through JSON, rows do not: a BigInt stays one.
  const answers = new Harness(everything).rows(rows);
  const rejected = answers.map((answer) => (answer instanceof Reject ? answer.code : null));
  assert.deepEqual(rejected.slice(4, 7), ["as_asked", "unavailable", "exception"]);
  assert.match(answers[6].message, /^TypeError: /);
  assert.ok(lines.some(([level, line]) => level === 1 && line.includes("extractor.js")));
  const counts = answers.map((answer) => answer.length);
  assert.deepEqual(counts, [0, 1, 2, 3, undefined, undefined, undefined, 3, 0, 1]);
  assert.deepEqual(answers[7].map((each) => each.note), ["there", "there", "there"]);
  assert.equal(answers[7][0].size, -(2n ** 63n));
  assert.deepEqual(answers[7][0].more, [2]);
  assert.equal(answers[9][0].name, "9");
});

test("large output is handed over within a tile", () => {
  const file = "x".repeat(700 << 10);
  const answers = new Harness(everything).rows(
    ["0", "1", "2"].map((name) => row({ name, file })),
  );
  const names = answers.map((answer) => answer.map((each) => each.name));
  assert.deepEqual(names, [["0", "0"], ["1", "1"], ["2", "2"]]);
});

test("what does not fit a field rejects the row", () => {
  const refused = (changes) => {
    const [answer] = new Harness(everything).rows([row(changes)]);
    assert.ok(answer instanceof Reject);
    return answer.message;
  };
  assert.match(refused({ ratio: Infinity }), /output `ratio` Infinity is no finite number/);
  assert.match(refused({ vector: [1, 2, 3] }), /`dense` has 3 values, its dimension is 2/);
  assert.match(refused({ vector: [0, 0] }), /`dense` is a vector of zeros/);
  assert.match(refused({ vector: [1e17, 0] }), /`dense` has \d+ at value 0, at most 1e16 is allowed/);
});

test("a blob that is too large or unreadable rejects the row", () => {
  const code = (file) => new Harness(everything).rows([row({ file })])[0].code;
  assert.equal(code("x".repeat((1 << 20) + 1)), "blob_too_large");
  assert.equal(code(new Reject("gone", "gone")), "blob_unreadable");
});

test("a query has the very floats", () => {
  assert.deepEqual(new Harness(everything).embedQuery("abc"), {
    dense: [3, TENTH],
    terms: { indices: [3], values: [TENTH] },
    tokens: [[1, 2], [3, 4]],
  });
});

test("a description follows from the declarations", () => {
  const { description } = new Harness(everything);
  assert.deepEqual(description.inputs[0], {
    name: "name",
    type: "utf8",
    required: true,
    description: "Comes out again.",
  });
  assert.deepEqual(description.inputs.slice(-4).map((each) => each.required), Array(4).fill(false));
  assert.deepEqual(description.outputs[6], {
    name: "dense",
    type: "dense",
    dimension: 2,
    distance: "cosine",
    description: "",
  });
  assert.equal(description.position, "ordinal");
  assert.equal(description.memory_bytes, 40 << 20);
  assert.equal(description.deterministic, false);
  assert.equal(description.queries, true);
  assert.equal(description.parameters.properties.dimension.maximum, 100);
  assert.equal(description.parameters.additionalProperties, false);
});

test("errors of parameters name the parameter", () => {
  const refused = (parameters, text) =>
    assert.throws(() => new Harness(everything, parameters), { message: text });
  refused({ dimension: 0 }, "parameter `dimension`: 0 is under 1");
  refused({ dimension: "two" }, 'parameter `dimension`: "two" is not of type integer');
  refused({ mode: "x" }, 'parameter `mode`: "x" is not one of "plain", "odd"');
  refused({ names: ["a", "b", "c", "d"] }, /parameter `names`: .* is over 3 items/);
  refused({ names: ["a", 2] }, "parameter `names/1`: 2 is not of type string");
  refused({ colour: 1 }, /parameter `colour`: unknown \(known: dimension/);
  refused({ refuse: true }, "parameter `refuse`: as asked for");
  assert.ok(new Harness(everything, { limit: null, weight: 2.5 }));
});

test("fields that are left out are neither described nor written", () => {
  const harness = new Harness(everything, { scalars_only: true, dimension: 7 });
  assert.equal(harness.description.outputs.length, 10);
  assert.ok(!("dense" in harness.row(row())[0]));
});

test("declarations that can not work are refused", () => {
  const create = () => ({ extract() {} });
  const refused = (given, text) =>
    assert.throws(() => extractor({ inputs: {}, outputs: {}, create, ...given }), {
      message: text,
    });
  refused({ create: undefined }, /`create` is missing/);
  refused({ inputs: { field: { type: "text" } } }, /inputs.field: `type` is "text", not one of/);
  refused({ inputs: { Field: { type: "utf8" } } }, /inputs.Field: a name has/);
  refused({ inputs: { file: { type: "blob", optional: true } } }, /can not be optional/);
  refused({ outputs: { v: { type: "dense", distance: "dot" } } }, /outputs.v: has no `dimension`/);
  refused({ outputs: { v: { type: "dense", dimension: 2 } } }, /`distance` must be one of/);
  refused({ outputs: { v: { type: "sparse", optional: true } } }, /can not be optional/);
  refused({ parameters: { size: { type: "integer" } } }, /parameters.size: .* needs a `default`/);
  refused({ position: "at" }, /position `at` is not an i64 output/);
});

test("a document with a field that is not declared is refused", () => {
  const odd = extractor({
    inputs: { text: { type: "utf8" } },
    outputs: { text: { type: "utf8" } },
    create: () => ({
      extract({ text }, documents) {
        documents.push(text === "half" ? { text: "\ud800" } : { text, txet: text });
      },
    }),
  });
  const [unknown, half] = new Harness(odd).rows([{ text: "a" }, { text: "half" }]);
  assert.equal(unknown.message, "TypeError: output `txet` is not declared");
  assert.equal(half.message, "TypeError: output `text` has half of a surrogate pair");
});

test("an extract that is async is refused", () => {
  const odd = extractor({
    inputs: {},
    outputs: {},
    create: () => ({ async extract() {} }),
  });
  assert.match(new Harness(odd).rows([{}])[0].message, /`extract` is async/);
});
