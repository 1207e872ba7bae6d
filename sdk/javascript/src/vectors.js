/** Vectors as 32-bit floats, checked. */

/** Larger values fit no vector store. */
const VALUE_MAX = 1e16;
const INDEX_MAX = 0xffff_ffff;

/** Values as 32-bit floats; throws when one is no number, not finite or too large. */
export function floats(values) {
  if (values === null || typeof values !== "object" || typeof values.length !== "number") {
    throw new TypeError("is no array of numbers");
  }
  const vector = values instanceof Float32Array ? values : Float32Array.from(values);
  for (let at = 0; at < vector.length; at++) {
    // Also false for NaN.
    if (!(Math.abs(vector[at]) <= VALUE_MAX)) {
      throw new RangeError(`has ${values[at]} at value ${at}, at most 1e16 is allowed`);
    }
  }
  return vector;
}

/** The same for a vector that must have `dimension` values. */
export function dense(values, dimension) {
  const vector = floats(values);
  if (vector.length !== dimension) {
    throw new RangeError(`has ${vector.length} values, its dimension is ${dimension}`);
  }
  return vector;
}

/** Indices and values of a sparse vector. */
export function sparse(given) {
  const indices = given?.indices;
  const values = floats(given?.values);
  if (indices?.length !== values.length) {
    throw new RangeError(`has ${indices?.length} indices and ${values.length} values`);
  }
  let before = -1;
  for (const index of indices) {
    if (!Number.isInteger(index) || index <= before || index > INDEX_MAX) {
      throw new RangeError("has indices that are not ascending unsigned 32-bit integers");
    }
    before = index;
  }
  return { indices: Uint32Array.from(indices), values };
}

/** The bytes of an array of numbers. WebAssembly and every platform of Node are little-endian. */
export function bytesOf(numbers) {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** Arrays of floats in a row. */
export function joined(vectors) {
  const all = new Float32Array(vectors.reduce((sum, vector) => sum + vector.length, 0));
  let at = 0;
  for (const vector of vectors) {
    all.set(vector, at);
    at += vector.length;
  }
  return all;
}
