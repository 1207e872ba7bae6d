/** The component's exports, made of an extractor. Imported inside WebAssembly only. */

import { write } from "quarry:extractor/log@0.1.0";
import { BlobError } from "./blob.js";
import { Definition } from "./definition.js";
import { describe, outputsUnder } from "./description.js";
import { log, sendTo } from "./log.js";
import { parse } from "./parameters.js";
import { Runner } from "./runner.js";

/** `definition`: what the author's module exports. Name and version: those of extractor.toml. */
export function exportsOf(definition, name, version) {
  if (!(definition instanceof Definition)) {
    throw new TypeError("the module must `export default extractor({ ... })`");
  }
  Object.assign(definition, { name, version });
  sendTo(write);
  printToLog();
  withoutWorld();
  let runner = null;
  const configured = () => runner ?? fail("the extractor is not configured");
  return {
    describe: () => JSON.stringify(defaults(definition)),
    configure(parameters) {
      runner = attempt(() => new Runner(definition, JSON.parse(parameters)));
      return JSON.stringify(runner.description);
    },
    run(input, output) {
      configured().run(input, new HostCells(input), output);
    },
    embedQuery: (text) => JSON.stringify(attempt(() => configured().embedQuery(text))),
  };
}

/** The description under the default parameters, even if the extractor does not start with them. */
function defaults(definition) {
  try {
    return new Runner(definition, {}).description;
  } catch {
    return describe(definition, outputsUnder(definition, parse(definition.parameters, {})), false);
  }
}

/** What is thrown as a string is the error of a WIT result; anything else would be a trap. */
function attempt(work) {
  try {
    return work();
  } catch (error) {
    return fail(error?.message ?? String(error));
  }
}

function fail(message) {
  throw message;
}

/** Blob cells of a batch; the host's errors become rejections. */
class HostCells {
  #batch;

  constructor(batch) {
    this.#batch = batch;
  }

  cellLen(column, row) {
    return Number(readable(() => this.#batch.cellLen(column, row)));
  }

  cellRead(column, row, offset, length) {
    const bytes = readable(() => this.#batch.cellRead(column, row, BigInt(offset), length));
    // Inside a result the bindings give something else than for a list alone.
    return bytes instanceof Uint8Array ? bytes : Uint8Array.from(bytes);
  }
}

function readable(read) {
  try {
    return read();
  } catch (error) {
    const reason = error?.payload ?? error?.message ?? error;
    throw new BlobError("blob_unreadable", `cannot read the blob: ${reason}`);
  }
}

/** What would answer with values of the time of the build, or trap without a word, says so. */
function withoutWorld() {
  const missing = (what) => () => {
    throw new Error(`an extractor has no ${what}`);
  };
  const clock = missing("clock; a date made of a text or a number works");
  Date.now = clock;
  globalThis.Date = new Proxy(Date, {
    apply: clock,
    construct: (date, given, as) =>
      given.length > 0 ? Reflect.construct(date, given, as) : clock(),
  });
  Date.prototype.constructor = Date;
  Math.random = missing("randomness");
  const noRandomness = { getRandomValues: Math.random, randomUUID: Math.random };
  const noTimers = missing("timers");
  const replaced = {
    crypto: noRandomness,
    fetch: missing("network"),
    performance: { now: clock },
    setInterval: noTimers,
    setTimeout: noTimers,
  };
  for (const [name, value] of Object.entries(replaced)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
}

/** There is no console in the sandbox: what is printed goes to the log. */
function printToLog() {
  const line = (values) =>
    values.map((each) => (typeof each === "string" ? each : shown(each))).join(" ");
  const print = (level) => (...values) => log[level](line(values));
  globalThis.console = {
    ...globalThis.console,
    debug: print("debug"),
    error: print("error"),
    info: print("info"),
    log: print("info"),
    trace: print("trace"),
    warn: print("warn"),
  };
}

function shown(value) {
  if (value instanceof Error) return value.stack ?? String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
