/** The values of output fields, as they go over the contract. */

import { bytesOf, dense, joined, sparse } from "./vectors.js";

const encoder = new TextEncoder();
const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;
const NOTHING = new Uint8Array(0);

/** The column of an output of the description. `field` is its number there. */
export function columnOf(field, output) {
  return new COLUMNS[output.type](field, output);
}

/** The values of one field since the last flush. `encode` throws what is wrong with a value. */
class Column {
  constructor(field, output) {
    this.field = field;
    this.output = output;
    this.name = output.name;
    this.values = [];
    this.bytes = 0;
  }

  put(value) {
    let encoded = null;
    if (!this.isNull(value)) {
      encoded = this.encode(value);
      this.bytes += this.size(encoded);
    }
    this.values.push(encoded);
  }

  truncate(count) {
    for (let at = count; at < this.values.length; at++) {
      if (this.values[at] !== null) this.bytes -= this.size(this.values[at]);
    }
    this.values.length = count;
  }

  isNull(value) {
    if (value !== null && value !== undefined) return false;
    if (!this.output.optional) throw new TypeError("is missing, and the field is not optional");
    return true;
  }

  size(encoded) {
    return encoded.byteLength;
  }
}

/** utf8, json, blob and multi: a cell is bytes. */
class Cells extends Column {
  push(sink, first) {
    const cells = this.values.map((cell) => cell ?? NOTHING);
    const data = new Uint8Array(this.bytes);
    const offsets = offsetsOf(cells);
    cells.forEach((cell, at) => data.set(cell, offsets[at]));
    sink.varlen(this.field, first, validityOf(this.values), offsets, data);
  }
}

class Utf8 extends Cells {
  encode(value) {
    if (typeof value !== "string") throw new TypeError(`is a ${typeof value}, not a string`);
    if (!value.isWellFormed()) throw new TypeError("has half of a surrogate pair");
    return encoder.encode(value);
  }
}

class Json extends Cells {
  isNull(value) {
    return value === undefined || (value === null && this.output.optional)
      ? super.isNull(value)
      : false;
  }

  encode(value) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`is a ${typeof value}, which JSON has no form for`);
    return encoder.encode(text);
  }
}

class Blob extends Cells {
  encode(value) {
    if (!(value instanceof Uint8Array)) throw new TypeError("is no Uint8Array");
    return value.slice();
  }
}

class Multi extends Cells {
  encode(value) {
    if (!Array.isArray(value)) throw new TypeError("is no array of vectors");
    return bytesOf(joined(value.map((vector) => dense(vector, this.output.dimension))));
  }
}

/** i64, f64 and bool. */
class Fixed extends Column {
  size() {
    return 8;
  }

  push(sink, first) {
    const values = this.pack(this.values.length);
    this.values.forEach((value, at) => {
      if (value !== null) values[at] = value;
    });
    sink.fixed(this.field, first, validityOf(this.values), bytesOf(values));
  }
}

class I64 extends Fixed {
  encode(value) {
    if (Number.isSafeInteger(value)) return BigInt(value);
    if (typeof value !== "bigint") {
      throw new TypeError(`${String(value)} is no whole number under 2^53; take a BigInt`);
    }
    if (value < I64_MIN || value > I64_MAX) throw new RangeError(`${value} does not fit 64 bits`);
    return value;
  }

  pack(count) {
    return new BigInt64Array(count);
  }
}

class F64 extends Fixed {
  encode(value) {
    if (!Number.isFinite(value)) throw new TypeError(`${String(value)} is no finite number`);
    return value;
  }

  pack(count) {
    return new Float64Array(count);
  }
}

class Bool extends Fixed {
  encode(value) {
    if (typeof value !== "boolean") throw new TypeError(`is a ${typeof value}, not a boolean`);
    return value;
  }

  pack(count) {
    return new Uint8Array(count);
  }
}

class Dense extends Column {
  encode(value) {
    const vector = dense(value, this.output.dimension);
    if (this.output.distance === "cosine" && vector.every((each) => each === 0)) {
      throw new RangeError("is a vector of zeros, which has no direction under cosine");
    }
    // The author may use the array again.
    return vector === value ? vector.slice() : vector;
  }

  push(sink, first) {
    sink.vectors(this.field, first, bytesOf(joined(this.values)));
  }
}

class Sparse extends Column {
  encode(value) {
    const vector = sparse(value);
    return vector.values === value.values ? { ...vector, values: vector.values.slice() } : vector;
  }

  size(encoded) {
    return 8 * encoded.indices.length;
  }

  push(sink, first) {
    const offsets = offsetsOf(this.values.map((vector) => vector.indices));
    const indices = new Uint32Array(offsets[offsets.length - 1]);
    this.values.forEach((vector, at) => indices.set(vector.indices, offsets[at]));
    const values = bytesOf(joined(this.values.map((vector) => vector.values)));
    sink.sparse(this.field, first, offsets, indices, values);
  }
}

const COLUMNS = {
  utf8: Utf8,
  json: Json,
  blob: Blob,
  multi: Multi,
  i64: I64,
  f64: F64,
  bool: Bool,
  dense: Dense,
  sparse: Sparse,
};

function offsetsOf(cells) {
  const offsets = new Uint32Array(cells.length + 1);
  cells.forEach((cell, at) => {
    offsets[at + 1] = offsets[at] + cell.length;
  });
  return offsets;
}

/** One bit a value, least significant first; nothing when none is missing. */
function validityOf(values) {
  if (!values.includes(null)) return NOTHING;
  const bits = new Uint8Array((values.length + 7) >> 3);
  values.forEach((value, at) => {
    if (value !== null) bits[at >> 3] |= 1 << (at & 7);
  });
  return bits;
}
