/** FNV-1a with 64 bits, for ASCII, in two halves of 32: a BigInt for each step is slow. */

const OFFSET_HIGH = 0xcbf29ce4;
const OFFSET_LOW = 0x84222325;
// The prime is 2^40 + 0x1b3.
const PRIME_LOW = 0x1b3;

/** The two halves of the hash of a word, as unsigned integers. */
export function fnv1a(word) {
  let high = OFFSET_HIGH;
  let low = OFFSET_LOW;
  for (let at = 0; at < word.length; at++) {
    low = (low ^ word.charCodeAt(at)) >>> 0;
    // Exact: it has 41 bits.
    const product = low * PRIME_LOW;
    const carry = Math.floor(product / 2 ** 32);
    high = (Math.imul(high, PRIME_LOW) + carry + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  return { high, low };
}

/** The hash modulo a number up to 2^21. */
export function remainder({ high, low }, divisor) {
  return ((high % divisor) * (2 ** 32 % divisor) + low) % divisor;
}
