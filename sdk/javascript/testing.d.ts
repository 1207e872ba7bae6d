/** Rows and documents as objects, for the tests of an extractor. Needs no WebAssembly. */

import type { Definition, Reject } from "./index.js";

/** A document as a test sees it: vectors are arrays, an i64 is a number where one can hold it. */
export type Found = Record<string, any>;

/** Runs an extractor on rows, through the same tile loop as in the host. */
export class Harness {
  /** Throws when the parameters do not fit. */
  constructor(definition: Definition, parameters?: Record<string, unknown>);

  /** What the extractor is with these parameters, as the contract's JSON. */
  readonly description: Record<string, any>;

  /**
   * The documents of one row; throws the Reject when it is rejected. In the row a blob is a string,
   * bytes, or a Reject for one that can not be read.
   */
  row(fields: Record<string, unknown>): Found[];

  /** Several rows in one batch: for each its documents, or why it is rejected. */
  rows(rows: Record<string, unknown>[]): (Found[] | Reject)[];

  /** The vectors for a search text, as the contract's JSON. */
  embedQuery(text: string): Record<string, any>;
}
