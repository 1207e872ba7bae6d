/** Write a Quarry extractor: an object that says what it takes and makes, and one function. */

export type InputType = "utf8" | "json" | "i64" | "f64" | "bool" | "blob" | "dense";
export type Distance = "cosine" | "dot" | "euclid" | "manhattan";

export interface Input {
  readonly type: InputType;
  /** Whether it may be missing, and is null then. Rows without another input never get here. */
  readonly optional?: boolean;
  /** For people. */
  readonly description?: string;
}

interface AnyOutput<P> {
  /** For people. */
  readonly description?: string;
  /** Leaves the output out under these parameters; what is pushed to it is dropped. */
  readonly omit?: (parameters: P) => boolean;
}

export interface PlainOutput<P> extends AnyOutput<P> {
  readonly type: "utf8" | "json" | "i64" | "f64" | "bool" | "blob";
  /** Whether it may be null. */
  readonly optional?: boolean;
}

export interface SparseOutput<P> extends AnyOutput<P> {
  readonly type: "sparse";
}

export interface VectorOutput<P> extends AnyOutput<P> {
  readonly type: "dense" | "multi";
  /** How many values a vector has, 1 to 65,536. */
  readonly dimension: number | ((parameters: P) => number);
  /** How vectors are compared. A vector of zeros has no direction and is refused under cosine. */
  readonly distance: Distance;
}

export type Output<P> = PlainOutput<P> | SparseOutput<P> | VectorOutput<P>;

/** A property of a JSON Schema, with the value it has when it is not set. */
export interface Parameter {
  readonly default: unknown;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly [keyword: string]: unknown;
}

/** The value of a parameter, as far as its schema says. */
export type ParameterValue<S> = S extends { readonly enum: readonly (infer E)[] }
  ? E
  : S extends { readonly type: "integer" | "number" }
    ? number
    : S extends { readonly type: "string" }
      ? string
      : S extends { readonly type: "boolean" }
        ? boolean
        : S extends { readonly type: "array"; readonly items: infer I }
          ? ParameterValue<I>[]
          : any;

export type Parameters<P> = { readonly [K in keyof P]: ParameterValue<P[K]> };

interface InputValues {
  utf8: string;
  /** Parsed. */
  json: any;
  i64: bigint;
  f64: number;
  bool: boolean;
  blob: Blob;
  dense: Float32Array;
}

type Vector = Float32Array | readonly number[];

export interface SparseVector {
  /** Which dimensions are not zero, ascending. */
  indices: Uint32Array | readonly number[];
  /** Their values, as many as `indices`. */
  values: Vector;
}

interface OutputValues {
  utf8: string;
  /** Anything with a form in JSON. */
  json: any;
  /** A number must be whole and under 2^53. */
  i64: number | bigint;
  /** Finite. */
  f64: number;
  bool: boolean;
  blob: Uint8Array;
  dense: Vector;
  sparse: SparseVector;
  multi: readonly Vector[];
}

type OrNull<F, V> = F extends { readonly optional: true } ? V | null : V;

/** The row of an extractor with these inputs. */
export type Row<I extends Record<string, Input>> = {
  readonly [K in keyof I]: OrNull<I[K], InputValues[I[K]["type"]]>;
};

/** A document of an extractor with these outputs. */
export type Document<O extends Record<string, { readonly type: keyof OutputValues }>> = {
  [K in keyof O as O[K] extends { readonly optional: true } ? never : K]: OutputValues[O[K]["type"]];
} & {
  [K in keyof O as O[K] extends { readonly optional: true } ? K : never]?:
    | OutputValues[O[K]["type"]]
    | null;
};

/** Takes the documents of a row. */
export interface Documents<D> {
  /** Adds a document. Throws what is wrong with a value. */
  push(document: D): void;
}

/** One lives for many batches of the same collection, and may be replaced at any row. */
export interface Instance<R, D> {
  /**
   * Pushes the documents of one row, none to many, or throws a Reject. After that what was pushed
   * for this row is taken back and the row becomes a dead letter; the other rows are not touched.
   * Another error does the same with the code `exception`.
   */
  extract(row: R, documents: Documents<D>): void;
  /** The vectors a search for `text` should use, by field. */
  embedQuery?(text: string): Record<string, Vector | SparseVector | readonly Vector[]>;
}

export interface Given<
  P extends Record<string, Parameter>,
  I extends Record<string, Input>,
  O extends Record<string, Output<Parameters<P>>>,
> {
  /** One sentence for listings. */
  readonly summary?: string;
  /** JSON Schemas by name, each with a default. */
  readonly parameters?: P;
  readonly inputs: I;
  readonly outputs: O;
  /**
   * The i64 output that is a document's position among the documents of its row. Ids are made of
   * it, so it must be unique within a row. Without it the position is the ordinal.
   */
  readonly position?: keyof O & string;
  /** Bytes of memory an instance needs in all: a hint for scheduling, no limit. */
  readonly memoryBytes?: number;
  /** What the extractor asks for; given only when the operator grants it. */
  readonly capabilities?: readonly string[];
  /** The same row may give other documents another time: none are taken from an earlier batch. */
  readonly varies?: boolean;
  /** Builds an instance, or throws an error that names the parameter that is wrong. */
  create(parameters: Parameters<P>): Instance<Row<I>, Document<O>>;
}

/** An extractor, checked. The module of an extractor has one as its default export. */
export interface Definition<I = any, O = any> {
  readonly name: string;
  readonly version: string;
  readonly inputs: I;
  readonly outputs: O;
}

export function extractor<
  const P extends Record<string, Parameter>,
  const I extends Record<string, Input>,
  const O extends Record<string, Output<Parameters<P>>>,
>(given: Given<P, I, O>): Definition<I, O>;

/** Thrown in `extract`, it turns the row into a dead letter. */
export class Reject extends Error {
  /** For programs: short, lower case, stable, like `bad_pdf`. */
  readonly code: string;
  /** `message` is for people: it names what is wrong with this row. */
  constructor(code: string, message: string);
  /** A row that may succeed later, unchanged, because what it refers to is missing now. */
  static transient(message: string): Reject;
}

/** The blob can not be read, or is larger than asked for. Unless caught, it rejects the row. */
export class BlobError extends Reject {}

/** A file, an upload or a reference: its bytes stay with the host until they are read. */
export interface Blob {
  /** Bytes. */
  readonly size: number;
  /** Up to `length` bytes from `offset` on; fewer only at the end. */
  read(offset: number, length: number): Uint8Array;
  /** All bytes; a BlobError when there are more than `limit`. */
  readAll(limit: number): Uint8Array;
}

/** The log of the batch: bounded, what is too much is dropped. `console.log` writes to it, too. */
export const log: {
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  debug(message: string): void;
  trace(message: string): void;
};
