/* Masks as bytes, and how alike two of them are. Pure. A mask is packed: bit 0 is the high bit
   of byte 0, and bits after the last one are zero. */
"use strict";

(function () {
  const ONES = new Uint8Array(256);
  for (let byte = 1; byte < 256; byte += 1) ONES[byte] = ONES[byte >> 1] + (byte & 1);

  /** The bytes of a mask that travels in base64. */
  function bytesOf(base64) {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  }

  /**
   * Bits `first` .. `first + count - 1` of a mask; the other bits of the outer bytes are set to
   * zero.
   */
  function part(mask, first, count) {
    if (count === 0) return new Uint8Array(0);
    const last = first + count - 1;
    const bytes = mask.slice(first >> 3, (last >> 3) + 1);
    bytes[0] &= 0xff >> (first & 7);
    bytes[bytes.length - 1] &= (0xff << (7 - (last & 7))) & 0xff;
    return bytes;
  }

  /** The number of bits in which two masks of one length differ. */
  function distance(one, other) {
    let bits = 0;
    for (let i = 0; i < one.length; i += 1) bits += ONES[one[i] ^ other[i]];
    return bits;
  }

  /**
   * The Hamming distances of n masks, n x n row by row; -1 where one of the two is not known
   * (null).
   */
  function distances(masks) {
    const n = masks.length;
    const result = new Int32Array(n * n).fill(-1);
    for (let i = 0; i < n; i += 1) {
      if (masks[i] === null) continue;
      for (let j = i; j < n; j += 1) {
        if (masks[j] === null) continue;
        result[i * n + j] = result[j * n + i] = distance(masks[i], masks[j]);
      }
    }
    return result;
  }

  /**
   * The layers of a run as [name, first bit, bits] from [name, bits], with all bits as the first
   * choice.
   */
  function layers(nBits, named) {
    const result = [["all layers", 0, nBits]];
    let first = 0;
    for (const [name, bits] of named || []) {
      result.push([name, first, bits]);
      first += bits;
    }
    return result;
  }

  prisam.maskBits = { bytesOf, part, distance, distances, layers };
})();
