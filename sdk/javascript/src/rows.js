/** Rows out of the columns of a tile. */

import { Blob } from "./blob.js";

const decoder = new TextDecoder();

/** Pulls the rows from `start` to `end` of a column; answers with a function of the row in it. */
export function reader(batch, cells, column, input, start, end) {
  if (input.type === "blob") return (row) => new Blob(cells, column, start + row);
  const varlen = input.type === "utf8" || input.type === "json";
  const tile = varlen ? batch.varlen(column, start, end) : batch.fixed(column, start, end);
  const read = varlen ? text(tile, input.type) : fixed(tile, input.type);
  const { validity } = tile;
  if (!input.optional || validity.length === 0) return read;
  return (row) => ((validity[row >> 3] >> (row & 7)) & 1 ? read(row) : null);
}

function text({ offsets, data }, type) {
  const read = (row) => decoder.decode(data.subarray(offsets[row], offsets[row + 1]));
  return type === "json" ? (row) => JSON.parse(read(row)) : read;
}

function fixed({ data, lanes }, type) {
  // A copy, because a view of 8 bytes must begin at a multiple of 8.
  const { buffer } = data.slice();
  if (type === "bool") return (row) => data[row] !== 0;
  if (type === "dense") {
    const floats = new Float32Array(buffer);
    return (row) => floats.subarray(row * lanes, (row + 1) * lanes);
  }
  const values = type === "i64" ? new BigInt64Array(buffer) : new Float64Array(buffer);
  return (row) => values[row];
}
