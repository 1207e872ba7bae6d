/** The tile loop: the same code inside WebAssembly and natively. */

import { columnOf } from "./columns.js";
import { describe, outputsUnder } from "./description.js";
import { Documents } from "./documents.js";
import { log } from "./log.js";
import { parse } from "./parameters.js";
import { Reject, UNEXPECTED } from "./reject.js";
import { reader } from "./rows.js";
import { dense, sparse } from "./vectors.js";

/** Output that waits before it is handed over, even within a tile. */
const FLUSH_BYTES = 1 << 20;

/** A configured extractor with its buffers. */
export class Runner {
  constructor(definition, given) {
    const parameters = parse(definition.parameters, given);
    this.instance = definition.create(parameters);
    if (typeof this.instance?.extract !== "function") {
      throw new TypeError("`create` must return an object with a function `extract`");
    }
    this.inputs = Object.entries(definition.inputs).map(([name, field]) => ({ name, ...field }));
    this.outputs = outputsUnder(definition, parameters);
    const queries = typeof this.instance.embedQuery === "function";
    this.description = describe(definition, this.outputs, queries);
    const columns = this.outputs.map((output, field) => columnOf(field, output));
    this.documents = new Documents(columns, Object.keys(definition.outputs));
    this.counts = [];
    this.rejects = [];
  }

  /** Extracts the rows of a batch. `batch` and `sink` have the methods of the contract. */
  run(batch, cells, sink) {
    this.#clear();
    const rows = batch.rows();
    const tile = Math.max(batch.tile(), 1);
    for (let start = 0; start < rows; start += tile) {
      this.#tile(batch, cells, sink, start, Math.min(start + tile, rows));
    }
  }

  /** The vectors of a search text, as the contract's object. */
  embedQuery(text) {
    if (!this.description.queries) {
      throw new TypeError(`${this.description.name} does not embed queries`);
    }
    const found = {};
    for (const [name, vector] of Object.entries(this.instance.embedQuery(text))) {
      found[name] = this.#queryVector(name, vector);
    }
    return found;
  }

  #queryVector(name, vector) {
    const { type, dimension } = this.outputs.find((output) => output.name === name) ?? {};
    if (type === "dense") return Array.from(dense(vector, dimension));
    if (type === "multi") return vector.map((each) => Array.from(dense(each, dimension)));
    if (type === "sparse") {
      const { indices, values } = sparse(vector);
      return { indices: Array.from(indices), values: Array.from(values) };
    }
    throw new TypeError(`the query has \`${name}\`, which is no output with vectors`);
  }

  #tile(batch, cells, sink, start, end) {
    const readers = this.inputs.map((input, column) =>
      reader(batch, cells, column, input, start, end),
    );
    let flushed = start;
    for (let row = start; row < end; row++) {
      const before = this.documents.length;
      try {
        const fields = {};
        this.inputs.forEach((input, at) => {
          fields[input.name] = readers[at](row - start);
        });
        const answer = this.instance.extract(fields, this.documents);
        if (typeof answer?.then === "function") {
          throw new TypeError("`extract` is async: nothing that comes after its return counts");
        }
      } catch (error) {
        this.documents.truncate(before);
        this.rejects.push([row, error instanceof Reject ? error : unexpected(error)]);
      }
      this.counts.push(this.documents.length - before);
      if (this.documents.bytes > FLUSH_BYTES) {
        this.#flush(sink, flushed);
        flushed = row + 1;
      }
    }
    this.#flush(sink, flushed);
  }

  /** Hands the rows from `row` on over and empties the buffers. */
  #flush(sink, row) {
    if (this.counts.length > 0) {
      const first = sink.documents(row, Uint32Array.from(this.counts));
      if (this.documents.length > 0) this.documents.pushTo(sink, first);
      for (const [rejected, reject] of this.rejects) {
        sink.reject(rejected, String(reject.code), reject.message);
      }
    }
    this.#clear();
  }

  #clear() {
    this.documents.truncate(0);
    this.counts = [];
    this.rejects = [];
  }
}

function unexpected(error) {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${error}`;
  log.error(error?.stack ? `${text}\n${error.stack}` : text);
  return new Reject(UNEXPECTED, text);
}
