/**
 * Text functions over columns on the bytes: split_part, lower, upper, length, replace. Results that are pieces of an
 * argument share its bytes. Searching bytes is searching characters: in UTF-8 no character's bytes lie inside another's.
 * What needs to know letters beyond ASCII goes through the per-value body, row by row.
 */

import type { Column } from '../../batch/delta-batch.ts';
import type { Memory } from '../../memory/memory.ts';
import { VIEW_INLINE_MAX, writeViewAt } from '../../memory/views.ts';
import { defineVector, type VectorBody } from '../registry.ts';
import { allocValues, commonValidity, isValid } from './columns.ts';
import { findPart } from './find-bytes.ts';
import { finishByValue } from './slow-rows.ts';

const HIGH_BITS = 0x8080_8080;

function dataOf(u32: Uint32Array, view: number): number {
  return u32[view >>> 2]! > VIEW_INLINE_MAX ? u32[(view >>> 2) + 3]! : view + 4;
}

function clearView(u32: Uint32Array, view: number): void {
  const word = view >>> 2;
  u32[word] = 0;
  u32[word + 1] = 0;
  u32[word + 2] = 0;
  u32[word + 3] = 0;
}

const SPLIT_PART = 'split_part(text,text,int4)';

defineVector(SPLIT_PART, (args, n, ctx, call) => {
  const [text, separator, field] = args as [Column, Column, Column];
  const values = allocValues(ctx, 'view', n);
  const validity = commonValidity(ctx, args, n);
  const { memory } = ctx;
  const { u32, i32 } = memory;
  const slow: number[] = [];
  for (let row = 0; row < n; row += 1) {
    const out = values + 16 * row;
    if (!isValid(memory, validity, row)) {
      clearView(u32, out);
      continue;
    }
    const number = i32[(field.values >>> 2) + row]!;
    const by = separator.values + 16 * row;
    if (number > 0 && u32[by >>> 2]! > 0) part(memory, text.values + 16 * row, by, number, out);
    else slow.push(row);
  }
  return finishByValue(SPLIT_PART, args, slow, { storage: 'view', values, validity }, n, ctx, call);
});

/** Writes part `number` (from 1) of the text at view `text`; '' when there are fewer. */
function part(memory: Memory, text: number, separator: number, number: number, out: number): void {
  const { u8, u32 } = memory;
  const by = dataOf(u32, separator);
  const byLength = u32[separator >>> 2]!;
  let from = dataOf(u32, text);
  const end = from + u32[text >>> 2]!;
  for (let left = number; left > 1; left -= 1) {
    const at = findPart(u8, u32, from, end, by, byLength);
    if (at < 0) {
      clearView(u32, out);
      return;
    }
    from = at + byLength;
  }
  const at = findPart(u8, u32, from, end, by, byLength);
  writeViewAt(memory, out, from, (at < 0 ? end : at) - from);
}

/** Where bytes of a word are letters from `first` to `last` (all bytes below 128): 0x20 there, else 0. */
function caseBits(word: number, first: number, last: number): number {
  const ones = 0x0101_0101;
  const isFrom = word + Math.imul(0x80 - first, ones);
  const isBehind = word + Math.imul(0x7f - last, ones);
  return ((isFrom ^ isBehind) & HIGH_BITS) >>> 2;
}

/** lower and upper: they turn bit 0x20 of the letters [first, last]. */
function caseMapping(id: string, first: number, last: number): VectorBody {
  return (args, n, ctx, call) => {
    const text = args[0]!;
    const values = allocValues(ctx, 'view', n);
    const { memory } = ctx;
    const { validity } = text;
    const slow: number[] = [];
    for (let row = 0; row < n; row += 1) {
      const from = text.values + 16 * row;
      const out = values + 16 * row;
      if (!isValid(memory, validity, row)) clearView(memory.u32, out);
      else if (memory.u32[from >>> 2]! <= VIEW_INLINE_MAX) {
        if (!mapInline(memory.u32, from >>> 2, out >>> 2, first, last)) slow.push(row);
      } else slow.push(row);
    }
    const column: Column = { storage: 'view', values, validity };
    return finishByValue(id, args, slow, column, n, ctx, call);
  };
}

/** Maps a text of at most 12 bytes; false: it is not all ASCII. */
function mapInline(
  u32: Uint32Array,
  from: number,
  out: number,
  first: number,
  last: number,
): boolean {
  const a = u32[from + 1]! | 0;
  const b = u32[from + 2]! | 0;
  const c = u32[from + 3]! | 0;
  if (((a | b | c) & HIGH_BITS) !== 0) return false;
  u32[out] = u32[from]!;
  u32[out + 1] = a ^ caseBits(a, first, last);
  u32[out + 2] = b ^ caseBits(b, first, last);
  u32[out + 3] = c ^ caseBits(c, first, last);
  return true;
}

defineVector('lower(text)', caseMapping('lower(text)', 0x41, 0x5a));
defineVector('upper(text)', caseMapping('upper(text)', 0x61, 0x7a));

/** Characters: the bytes that do not continue one. */
const charCount: VectorBody = ([text], n, ctx) => {
  const values = allocValues(ctx, 'i32', n);
  const { validity } = text!;
  const { memory } = ctx;
  const { u32, i32 } = memory;
  for (let row = 0; row < n; row += 1) {
    if (!isValid(memory, validity, row)) continue;
    const view = text!.values + 16 * row;
    const length = u32[view >>> 2]!;
    const from = dataOf(u32, view);
    i32[(values >>> 2) + row] = length - continuationCount(u32, from, from + length);
  }
  return { storage: 'i32', values, validity };
};

/** How many bytes in [from, end) continue a character (10xxxxxx), by words. */
function continuationCount(u32: Uint32Array, from: number, end: number): number {
  let count = 0;
  for (let word = from >>> 2; word * 4 < end; word += 1) {
    let bytes = u32[word]!;
    if ((bytes & HIGH_BITS) === 0) continue;
    // Bytes outside the text count as ASCII.
    if (word * 4 < from) bytes &= -1 << ((from & 3) << 3);
    if (word * 4 + 4 > end) bytes &= (1 << ((end & 3) << 3)) - 1;
    for (
      let found = (bytes >>> 7) & (~bytes >>> 6) & 0x0101_0101;
      found !== 0;
      found &= found - 1
    ) {
      count += 1;
    }
  }
  return count;
}

const byteCount: VectorBody = ([text], n, ctx) => {
  const values = allocValues(ctx, 'i32', n);
  const { u32, i32 } = ctx.memory;
  for (let row = 0; row < n; row += 1) {
    i32[(values >>> 2) + row] = u32[(text!.values >>> 2) + 4 * row]!;
  }
  return { storage: 'i32', values, validity: text!.validity };
};

for (const name of ['length', 'char_length', 'character_length']) {
  defineVector(`${name}(text)`, charCount);
}
defineVector('octet_length(text)', byteCount);

defineVector('replace(text,text,text)', (args, n, ctx) => {
  const [text, from, to] = args as [Column, Column, Column];
  const values = allocValues(ctx, 'view', n);
  const validity = commonValidity(ctx, args, n);
  const { memory } = ctx;
  for (let row = 0; row < n; row += 1) {
    const out = values + 16 * row;
    if (!isValid(memory, validity, row)) {
      clearView(memory.u32, out);
      continue;
    }
    const source = text.values + 16 * row;
    const part = from.values + 16 * row;
    const other = to.values + 16 * row;
    const found = occurrences(memory, source, part);
    if (found === 0) memory.u8.copyWithin(out, source, source + 16);
    else {
      const { u32 } = memory;
      const growth = u32[other >>> 2]! - u32[part >>> 2]!;
      const length = u32[source >>> 2]! + found * growth;
      const block = ctx.scratch.alloc(Math.max(16, length));
      writeReplaced(memory, source, part, other, block);
      writeViewAt(memory, out, block, length);
    }
  }
  return { storage: 'view', values, validity };
});

/** How often the text at view `part` occurs, from left to right without overlap; '' occurs never. */
function occurrences({ u8, u32 }: Memory, text: number, part: number): number {
  const length = u32[part >>> 2]!;
  if (length === 0) return 0;
  const bytes = dataOf(u32, part);
  const from = dataOf(u32, text);
  const end = from + u32[text >>> 2]!;
  let count = 0;
  for (let at = findPart(u8, u32, from, end, bytes, length); at >= 0; count += 1) {
    at = findPart(u8, u32, at + length, end, bytes, length);
  }
  return count;
}

function writeReplaced(
  { u8, u32 }: Memory,
  text: number,
  part: number,
  other: number,
  block: number,
): void {
  const length = u32[part >>> 2]!;
  const bytes = dataOf(u32, part);
  const otherLength = u32[other >>> 2]!;
  const otherBytes = dataOf(u32, other);
  let from = dataOf(u32, text);
  const end = from + u32[text >>> 2]!;
  let out = block;
  for (;;) {
    const at = findPart(u8, u32, from, end, bytes, length);
    const stop = at < 0 ? end : at;
    while (from < stop) u8[out++] = u8[from++]!;
    if (at < 0) return;
    for (let i = 0; i < otherLength; i += 1) u8[out++] = u8[otherBytes + i]!;
    from = at + length;
  }
}
