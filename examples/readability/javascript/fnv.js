/** FNV-1a with 64 bits, for ASCII, in two halves of 32: a BigInt for each step is slow. */

const OFFSET_HIGH = 0xcbf29ce4;
const OFFSET_LOW = 0x84222325;
// The prime is 2^40 + 0x1b3.
const PRIME_LOW = 0x1b3;

/** The hash modulo `dimensions` (at most 2^21), and whether its highest bit is set. */
export function fnv1a(word, dimensions) {
  let high = OFFSET_HIGH;
  let low = OFFSET_LOW;
  for (let at = 0; at < word.length; at++) {
    low = (low ^ word.charCodeAt(at)) >>> 0;
    // Below 2^53, so exact: 2^32 times 0x1b3 has 41 bits.
    const product = low * PRIME_LOW;
    const carry = Math.floor(product / 2 ** 32);
    high = (Math.imul(high, PRIME_LOW) + carry + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  const bucket = ((high % dimensions) * (2 ** 32 % dimensions) + low) % dimensions;
  return { bucket, negative: high >= 2 ** 31 };
}
