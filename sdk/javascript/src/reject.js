/** Why a row could not be extracted. */

/** The code of what may succeed when it is tried again: `quarry batch retry` can pick it. */
const TRANSIENT = "unavailable";
/** The code of an error that the extractor did not expect. */
export const UNEXPECTED = "exception";

export class Reject extends Error {
  constructor(code, message) {
    super(message);
    this.name = "Reject";
    this.code = code;
  }

  static transient(message) {
    return new Reject(TRANSIENT, message);
  }
}
