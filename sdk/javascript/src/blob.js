/** Large cells, read in ranges. */

import { Reject } from "./reject.js";

/** Most bytes one read of the host brings: larger reads are cut into several. */
export const READ_BYTES_MAX = 64 << 10;

/** The blob can not be read, or is larger than asked for. Unless caught, it rejects the row. */
export class BlobError extends Reject {}

export class Blob {
  #cells;
  #column;
  #row;

  /** `cells` has `cellLen(column, row)` and `cellRead(column, row, offset, length)`. */
  constructor(cells, column, row) {
    this.#cells = cells;
    this.#column = column;
    this.#row = row;
  }

  get size() {
    return this.#cells.cellLen(this.#column, this.#row);
  }

  read(offset, length) {
    const pieces = [];
    let bytes = 0;
    while (bytes < length) {
      const wanted = Math.min(length - bytes, READ_BYTES_MAX);
      const piece = this.#cells.cellRead(this.#column, this.#row, offset + bytes, wanted);
      if (piece.length === 0) break;
      pieces.push(piece);
      bytes += piece.length;
    }
    if (pieces.length === 1) return pieces[0];
    const all = new Uint8Array(bytes);
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  readAll(limit) {
    const size = this.size;
    if (size > limit) {
      throw new BlobError("blob_too_large", `the blob has ${size} bytes, the limit is ${limit}`);
    }
    return this.read(0, size);
  }
}
