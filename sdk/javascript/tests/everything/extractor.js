/** An extractor with every type of field, for the tests. */

import { extractor, log, Reject } from "quarry-extractor";

export default extractor({
  summary: "Makes everything of everything",
  parameters: {
    dimension: { type: "integer", minimum: 1, maximum: 100, default: 2, description: "Of vectors." },
    mode: { enum: ["plain", "odd"], default: "plain" },
    names: { type: "array", items: { type: "string" }, maxItems: 3, default: [] },
    weight: { type: "number", default: 1 },
    limit: { type: ["integer", "null"], default: null },
    scalars_only: { type: "boolean", default: false },
    refuse: { type: "boolean", default: false },
  },
  inputs: {
    name: { type: "utf8", description: "Comes out again." },
    count: { type: "i64" },
    ratio: { type: "f64" },
    flag: { type: "bool" },
    facts: { type: "json" },
    file: { type: "blob" },
    vector: { type: "dense" },
    note: { type: "utf8", optional: true },
    size: { type: "i64", optional: true },
    more: { type: "json", optional: true },
    other: { type: "dense", optional: true },
  },
  outputs: {
    name: { type: "utf8" },
    count: { type: "i64" },
    ratio: { type: "f64" },
    flag: { type: "bool" },
    facts: { type: "json" },
    file: { type: "blob" },
    dense: {
      type: "dense",
      dimension: ({ dimension }) => dimension,
      distance: "cosine",
      omit: ({ scalars_only }) => scalars_only,
    },
    terms: { type: "sparse", omit: ({ scalars_only }) => scalars_only },
    tokens: {
      type: "multi",
      dimension: ({ dimension }) => dimension,
      distance: "euclid",
      omit: ({ scalars_only }) => scalars_only,
    },
    note: { type: "utf8", optional: true },
    size: { type: "i64", optional: true },
    more: { type: "json", optional: true },
    ordinal: { type: "i64" },
  },
  position: "ordinal",
  memoryBytes: 40 << 20,
  varies: true,
  create({ weight, refuse }) {
    if (refuse) throw new Error("parameter `refuse`: as asked for");

    function document(row, ordinal, content) {
      return {
        name: row.name,
        count: row.count,
        ratio: row.ratio * weight,
        flag: row.flag,
        facts: row.facts,
        file: content,
        dense: row.vector,
        terms: ordinal > 0
          ? { indices: [1, 7 + ordinal], values: [0.5, row.ratio] }
          : { indices: [], values: [] },
        tokens: Array(ordinal + 1).fill(row.vector),
        note: row.note,
        size: row.size,
        more: row.other === null ? row.more : Array.from(row.other),
        ordinal,
      };
    }

    return {
      extract(row, documents) {
        if (row.name === "reject") {
          documents.push(document(row, 0, new Uint8Array(0)));
          throw new Reject("as_asked", "rejected by name");
        }
        if (row.name === "transient") throw Reject.transient("come back later");
        if (row.name === "raise") {
          documents.push(document(row, 0, new Uint8Array(0)));
          null.missing();
        }
        log.debug(row.name);
        const content = row.file.readAll(1 << 20);
        for (let ordinal = 0; ordinal < row.count; ordinal++) {
          documents.push(document(row, ordinal, content));
        }
      },
      embedQuery(text) {
        if (text === "wrong") throw new Error("no such text");
        return {
          dense: [text.length, 0.1],
          terms: { indices: [3], values: [0.1] },
          tokens: [[1, 2], [3, 4]],
        };
      },
    };
  },
});
