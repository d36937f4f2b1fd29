/**
 * Copies the values of rows selection[from, to) of a column, one behind the other, to `out`: a place in units of the target. One
 * function for each sort of array: V8 compiles a loop over one sort only to the best code.
 */

export function copyU8(
  source: Uint8Array,
  at: number,
  target: Uint8Array,
  out: number,
  selection: Uint32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) target[out++] = source[at + selection[i]!]!;
}

export function copyU32(
  source: Uint32Array,
  at: number,
  target: Uint32Array,
  out: number,
  selection: Uint32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) target[out++] = source[at + selection[i]!]!;
}

export function copyWide(
  source: Uint32Array,
  at: number,
  target: Uint32Array,
  out: number,
  selection: Uint32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const word = at + 2 * selection[i]!;
    target[out++] = source[word]!;
    target[out++] = source[word + 1]!;
  }
}

/** Views of short strings: their words are all there is. */
export function copyShortViews(
  source: Uint32Array,
  at: number,
  target: Uint32Array,
  out: number,
  selection: Uint32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const word = at + 4 * selection[i]!;
    target[out++] = source[word]!;
    target[out++] = source[word + 1]!;
    target[out++] = source[word + 2]!;
    target[out++] = source[word + 3]!;
  }
}
