/** Write a Quarry extractor: an object that says what it takes and makes, and one function. */

export { BlobError } from "./src/blob.js";
export { extractor } from "./src/definition.js";
export { log } from "./src/log.js";
export { Reject } from "./src/reject.js";
