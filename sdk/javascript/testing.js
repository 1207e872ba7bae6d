/** Rows and documents as objects, for the tests of an extractor. Needs no WebAssembly. */

import { BlobError } from "./src/blob.js";
import { Reject } from "./src/reject.js";
import { Runner } from "./src/runner.js";
import { bytesOf, joined } from "./src/vectors.js";

/** Rows of a tile in tests: small, so that a few rows cross a border. */
const TILE_ROWS = 3;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export class Harness {
  #runner;

  constructor(definition, parameters = {}) {
    // As they come from a pipeline: through JSON.
    this.#runner = new Runner(definition, JSON.parse(JSON.stringify(parameters)));
  }

  get description() {
    return this.#runner.description;
  }

  row(fields) {
    const [answer] = this.rows([fields]);
    if (answer instanceof Reject) throw answer;
    return answer;
  }

  rows(rows) {
    const batch = new Batch(this.#runner.inputs, rows);
    const sink = new Sink(this.#runner.outputs);
    this.#runner.run(batch, batch, sink);
    return sink.answers(rows.length);
  }

  embedQuery(text) {
    return this.#runner.embedQuery(text);
  }
}

/** The contract's `batch` over objects, and its blob cells. */
class Batch {
  constructor(inputs, values) {
    this.inputs = inputs;
    this.values = values;
    const names = new Set(inputs.map((input) => input.name));
    values.forEach((row, number) => {
      for (const name of Object.keys(row)) {
        if (!names.has(name)) throw new TypeError(`row ${number} has \`${name}\`, no input`);
      }
      for (const { name, optional } of inputs) {
        if (!optional && (row[name] ?? null) === null) {
          throw new TypeError(`row ${number} has no \`${name}\``);
        }
      }
    });
  }

  rows() {
    return this.values.length;
  }

  tile() {
    return TILE_ROWS;
  }

  varlen(column, start, end) {
    const values = this.#column(column, start, end);
    const json = this.inputs[column].type === "json";
    const text = (value) => (json ? JSON.stringify(value) : value);
    const cells = values.map((value) => encoder.encode(value === null ? "" : text(value)));
    const offsets = new Uint32Array(cells.length + 1);
    cells.forEach((cell, at) => {
      offsets[at + 1] = offsets[at] + cell.length;
    });
    const data = new Uint8Array(offsets[cells.length]);
    cells.forEach((cell, at) => data.set(cell, offsets[at]));
    return { validity: validityOf(values), offsets, data };
  }

  fixed(column, start, end) {
    const values = this.#column(column, start, end);
    const validity = validityOf(values);
    const { type } = this.inputs[column];
    if (type === "dense") {
      const lanes = values.find((value) => value !== null)?.length ?? 0;
      const vectors = values.map((value) => Float32Array.from(value ?? Array(lanes).fill(0)));
      return { validity, width: 4, lanes, data: bytesOf(joined(vectors)) };
    }
    const packed = packers[type](values);
    return { validity, width: packed.BYTES_PER_ELEMENT, lanes: 1, data: bytesOf(packed) };
  }

  cellLen(column, row) {
    return this.#cell(column, row).length;
  }

  cellRead(column, row, offset, length) {
    return this.#cell(column, row).slice(offset, offset + length);
  }

  #column(column, start, end) {
    const { name } = this.inputs[column];
    return this.values.slice(start, end).map((row) => row[name] ?? null);
  }

  #cell(column, row) {
    const value = this.values[row][this.inputs[column].name];
    if (value instanceof Reject) {
      throw new BlobError("blob_unreadable", `cannot read the blob: ${value.message}`);
    }
    return typeof value === "string" ? encoder.encode(value) : Uint8Array.from(value);
  }
}

const packers = {
  i64: (values) => BigInt64Array.from(values, (value) => BigInt(value ?? 0)),
  f64: (values) => Float64Array.from(values, (value) => value ?? 0),
  bool: (values) => Uint8Array.from(values, (value) => (value ? 1 : 0)),
};

/** The contract's `sink`, back to JavaScript values. It checks the order of calls. */
class Sink {
  constructor(outputs) {
    this.outputs = outputs;
    this.counts = [];
    this.columns = outputs.map(() => []);
    this.rejects = new Map();
  }

  documents(row, counts) {
    expect(row === this.counts.length, `row ${row} is announced out of order`);
    const first = this.counts.reduce((sum, count) => sum + count, 0);
    this.counts.push(...counts);
    return first;
  }

  vectors(field, first, data) {
    this.#append(field, first, cut(data, this.outputs[field].dimension));
  }

  sparse(field, first, offsets, indices, values) {
    const floats = new Float32Array(values.slice().buffer);
    const at = (entries, number) =>
      Array.from(entries.subarray(offsets[number], offsets[number + 1]));
    const found = Array.from({ length: offsets.length - 1 }, (_, number) => ({
      indices: at(indices, number),
      values: at(floats, number),
    }));
    this.#append(field, first, found);
  }

  fixed(field, first, validity, data) {
    const { buffer } = data.slice();
    const unpack = {
      // Whole numbers that a number can hold are one, for short comparisons in tests.
      i64: () => Array.from(new BigInt64Array(buffer), (value) => handy(value)),
      f64: () => Array.from(new Float64Array(buffer)),
      bool: () => Array.from(data, (value) => value !== 0),
    };
    this.#append(field, first, masked(unpack[this.outputs[field].type](), validity));
  }

  varlen(field, first, validity, offsets, data) {
    const { type, dimension } = this.outputs[field];
    const decode = {
      utf8: (cell) => decoder.decode(cell),
      json: (cell) => (cell.length === 0 ? null : JSON.parse(decoder.decode(cell))),
      blob: (cell) => cell.slice(),
      multi: (cell) => cut(cell, dimension),
    };
    const count = offsets.length - 1;
    const cells = Array.from({ length: count }, (_, number) =>
      decode[type](data.subarray(offsets[number], offsets[number + 1])),
    );
    this.#append(field, first, masked(cells, validity));
  }

  reject(row, code, message) {
    expect(this.counts[row] === 0, `row ${row} is rejected and has documents`);
    this.rejects.set(row, new Reject(code, message));
  }

  answers(rows) {
    expect(this.counts.length === rows, `${this.counts.length} of ${rows} rows are announced`);
    let next = 0;
    return this.counts.map((count, row) => {
      const documents = Array.from({ length: count }, (_, number) => this.#document(next + number));
      next += count;
      return this.rejects.get(row) ?? documents;
    });
  }

  #document(number) {
    const fields = this.outputs.map(({ name }, field) => [name, this.columns[field][number]]);
    return Object.fromEntries(fields);
  }

  #append(field, first, values) {
    const column = this.columns[field];
    expect(first === column.length, `document ${first} is pushed, ${column.length} is next`);
    column.push(...values);
  }
}

function cut(bytes, dimension) {
  const floats = Array.from(new Float32Array(bytes.slice().buffer));
  const count = floats.length / dimension;
  return Array.from({ length: count }, (_, at) =>
    floats.slice(at * dimension, (at + 1) * dimension),
  );
}

function handy(value) {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function masked(values, validity) {
  if (validity.length === 0) return values;
  return values.map((value, at) => ((validity[at >> 3] >> (at & 7)) & 1 ? value : null));
}

function validityOf(values) {
  const bits = new Uint8Array((values.length + 7) >> 3);
  values.forEach((value, at) => {
    if (value !== null) bits[at >> 3] |= 1 << (at & 7);
  });
  return bits;
}

function expect(holds, message) {
  if (!holds) throw new Error(message);
}
