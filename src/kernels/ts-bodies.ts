/**
 * TypeScript bodies of the kernels that also have AssemblyScript bodies (table.as.ts): they define the meaning. All work on
 * addresses in one memory; none allocates, so the views taken at the start stay right.
 *
 * Hash of a row: a chain over the columns' 32-bit words, so that both bodies build the same tables. NULL is one word.
 */

import type { Memory } from '../memory/memory.ts';
import { STATE_INDEXED, STATE_LIVE } from '../memory/row-layout.ts';
import { viewsEqualWords } from '../memory/views.ts';
import { TEXT_LEFT } from './json-layout.ts';
import type { Kernels } from './kernels.ts';
import {
  T_FREE,
  T_FREE_COUNT,
  T_INDEX,
  T_INDEXED,
  T_MASK,
  T_NEXT,
  T_ROW_BYTES,
  T_ROW_COUNT,
} from './table-layout.ts';

const SEED = 0x9e3779b1;
const NULL_WORD = 0x5bd1e995;

function chain(h: number, word: number): number {
  h = Math.imul(h ^ word, 0x85ebca6b);
  return h ^ (h >>> 15);
}

function finish(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return h ^ (h >>> 16);
}

function hashView(u32: Uint32Array, u8: Uint8Array, h: number, word: number): number {
  const length = u32[word]!;
  h = chain(h, length);
  if (length <= 12) {
    if (length > 0) h = chain(h, u32[word + 1]!);
    if (length > 4) h = chain(h, u32[word + 2]!);
    if (length > 8) h = chain(h, u32[word + 3]!);
    return h;
  }
  const start = u32[word + 3]!;
  let i = 0;
  if ((start & 3) === 0) {
    for (; i + 4 <= length; i += 4) h = chain(h, u32[(start + i) >>> 2]!);
  } else {
    for (; i + 4 <= length; i += 4) {
      const at = start + i;
      h = chain(h, u8[at]! | (u8[at + 1]! << 8) | (u8[at + 2]! << 16) | (u8[at + 3]! << 24));
    }
  }
  if (i === length) return h;
  let tail = 0;
  for (let shift = 0; i < length; i += 1, shift += 8) tail |= u8[start + i]! << shift;
  return chain(h, tail);
}

function hashWords(u32: Uint32Array, values: number, n: number, out: number): void {
  for (let i = 0; i < n; i += 1) u32[out + i] = chain(u32[out + i]!, u32[values + i]!);
}

function hashPairs(u32: Uint32Array, values: number, n: number, out: number): void {
  for (let i = 0; i < n; i += 1) {
    const at = values + 2 * i;
    u32[out + i] = chain(chain(u32[out + i]!, u32[at]!), u32[at + 1]!);
  }
}

function hashNullable(memory: Memory, descriptor: number, n: number, out: number): void {
  const { u32, u8 } = memory;
  const code = u32[descriptor]!;
  const values = u32[descriptor + 1]!;
  const validity = u32[descriptor + 2]!;
  for (let i = 0; i < n; i += 1) {
    const h = u32[out + i]!;
    if (((u8[validity + (i >>> 3)]! >>> (i & 7)) & 1) === 0) u32[out + i] = chain(h, NULL_WORD);
    else if (code === 0) u32[out + i] = chain(h, u8[values + i]!);
    else if (code === 1) u32[out + i] = chain(h, u32[(values >>> 2) + i]!);
    else if (code === 4) u32[out + i] = hashView(u32, u8, h, (values >>> 2) + 4 * i);
    else {
      const at = (values >>> 2) + 2 * i;
      u32[out + i] = chain(chain(h, u32[at]!), u32[at + 1]!);
    }
  }
}

function hashColumn(memory: Memory, descriptor: number, n: number, out: number): void {
  const { u32, u8 } = memory;
  const values = u32[descriptor + 1]!;
  const code = u32[descriptor];
  if (u32[descriptor + 2] !== 0) hashNullable(memory, descriptor, n, out);
  else if (code === 0) {
    for (let i = 0; i < n; i += 1) u32[out + i] = chain(u32[out + i]!, u8[values + i]!);
  } else if (code === 1) hashWords(u32, values >>> 2, n, out);
  else if (code === 4) {
    for (let i = 0; i < n; i += 1) {
      u32[out + i] = hashView(u32, u8, u32[out + i]!, (values >>> 2) + 4 * i);
    }
  } else hashPairs(u32, values >>> 2, n, out);
}

function hashColumns(
  memory: Memory,
  descriptors: number,
  count: number,
  n: number,
  hashes: number,
): void {
  const u32 = memory.u32;
  const out = hashes >>> 2;
  u32.fill(SEED, out, out + n);
  for (let c = 0; c < count; c += 1) hashColumn(memory, (descriptors >>> 2) + 4 * c, n, out);
  for (let i = 0; i < n; i += 1) u32[out + i] = finish(u32[out + i]!);
}

/** Are the row's first `count` columns identical to row i of the described columns? */
function keysEqual(
  u32: Uint32Array,
  u8: Uint8Array,
  descriptors: number,
  count: number,
  row: number,
  i: number,
): boolean {
  for (let c = 0; c < count; c += 1) {
    const d = descriptors + 4 * c;
    const validity = u32[d + 2]!;
    const isValid = validity === 0 ? 1 : (u8[validity + (i >>> 3)]! >>> (i & 7)) & 1;
    if (isValid !== ((u8[row + 8 + (c >>> 3)]! >>> (c & 7)) & 1)) return false;
    if (isValid === 0) continue;
    const values = u32[d + 1]!;
    const at = row + u32[d + 3]!;
    const code = u32[d]!;
    if (code === 0) {
      if (u8[at] !== u8[values + i]) return false;
    } else if (code === 1) {
      if (u32[at >>> 2] !== u32[(values >>> 2) + i]) return false;
    } else if (code === 4) {
      if (!viewsEqualWords(u32, u8, at, values + 16 * i)) return false;
    } else {
      const x = at >>> 2;
      const y = (values >>> 2) + 2 * i;
      if (u32[x] !== u32[y] || u32[x + 1] !== u32[y + 1]) return false;
    }
  }
  return true;
}

function writeKeys(
  u32: Uint32Array,
  u8: Uint8Array,
  descriptors: number,
  count: number,
  row: number,
  i: number,
): void {
  for (let c = 0; c < count; c += 1) {
    const d = descriptors + 4 * c;
    const validity = u32[d + 2]!;
    if (validity !== 0 && ((u8[validity + (i >>> 3)]! >>> (i & 7)) & 1) === 0) continue;
    u8[row + 8 + (c >>> 3)]! |= 1 << (c & 7);
    const values = u32[d + 1]!;
    const at = row + u32[d + 3]!;
    const code = u32[d]!;
    if (code === 0) u8[at] = u8[values + i]!;
    else if (code === 1) u32[at >>> 2] = u32[(values >>> 2) + i]!;
    else {
      const words = code === 4 ? 4 : 2;
      const from = (values >>> 2) + words * i;
      for (let w = 0; w < words; w += 1) u32[(at >>> 2) + w] = u32[from + w]!;
    }
  }
}

/** Takes a row from the table's reserve (the caller has made sure that there is one); all its bytes but the head are zero. */
function takeRow(u32: Uint32Array, table: number): number {
  u32[table + T_ROW_COUNT]! += 1;
  const free = u32[table + T_FREE]!;
  if (free !== 0) {
    u32[table + T_FREE] = u32[free << 1]!;
    u32[table + T_FREE_COUNT]! -= 1;
    return free;
  }
  const address = u32[table + T_NEXT]!;
  u32[table + T_NEXT] = address + u32[table + T_ROW_BYTES]!;
  return address >>> 3;
}

function upsert(
  memory: Memory,
  tableAddress: number,
  descriptors: number,
  count: number,
  n: number,
  hashes: number,
  outRows: number,
  outNew: number,
): number {
  const { u32, u8 } = memory;
  const table = tableAddress >>> 2;
  const index = u32[table + T_INDEX]! >>> 2;
  const mask = u32[table + T_MASK]!;
  const keys = descriptors >>> 2;
  let newCount = 0;
  for (let i = 0; i < n; i += 1) {
    const hash = u32[(hashes >>> 2) + i]!;
    let slot = hash & mask;
    let row = 0;
    while ((row = u32[index + 2 * slot + 1]!) !== 0) {
      if (u32[index + 2 * slot] === hash && keysEqual(u32, u8, keys, count, row * 8, i)) break;
      slot = (slot + 1) & mask;
    }
    if (row === 0) {
      row = takeRow(u32, table);
      u32[row << 1] = hash;
      u32[(row << 1) + 1] = STATE_LIVE | STATE_INDEXED;
      writeKeys(u32, u8, keys, count, row * 8, i);
      u32[index + 2 * slot] = hash;
      u32[index + 2 * slot + 1] = row;
      u32[(outNew >>> 2) + newCount] = i;
      newCount += 1;
    }
    u32[(outRows >>> 2) + i] = row;
  }
  u32[table + T_INDEXED]! += newCount;
  return newCount;
}

function probe(
  memory: Memory,
  tableAddress: number,
  descriptors: number,
  count: number,
  n: number,
  hashes: number,
  outRows: number,
): void {
  const { u32, u8 } = memory;
  const table = tableAddress >>> 2;
  const index = u32[table + T_INDEX]! >>> 2;
  const mask = u32[table + T_MASK]!;
  const keys = descriptors >>> 2;
  for (let i = 0; i < n; i += 1) {
    const hash = u32[(hashes >>> 2) + i]!;
    let slot = hash & mask;
    let row = 0;
    while ((row = u32[index + 2 * slot + 1]!) !== 0) {
      if (u32[index + 2 * slot] === hash && keysEqual(u32, u8, keys, count, row * 8, i)) break;
      slot = (slot + 1) & mask;
    }
    u32[(outRows >>> 2) + i] = row;
  }
}

/** Removes rows from the index. Rows without an entry are passed over. */
function erase(memory: Memory, tableAddress: number, rows: number, n: number): void {
  const u32 = memory.u32;
  const table = tableAddress >>> 2;
  const index = u32[table + T_INDEX]! >>> 2;
  const mask = u32[table + T_MASK]!;
  for (let i = 0; i < n; i += 1) {
    const row = u32[(rows >>> 2) + i]!;
    const state = u32[(row << 1) + 1]!;
    if ((state & STATE_INDEXED) === 0) continue;
    u32[(row << 1) + 1] = state & ~STATE_INDEXED;
    u32[table + T_INDEXED]! -= 1;
    let hole = u32[row << 1]! & mask;
    while (u32[index + 2 * hole + 1] !== row) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; u32[index + 2 * slot + 1] !== 0; slot = (slot + 1) & mask) {
      const home = u32[index + 2 * slot]! & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      u32[index + 2 * hole] = u32[index + 2 * slot]!;
      u32[index + 2 * hole + 1] = u32[index + 2 * slot + 1]!;
      hole = slot;
    }
    u32[index + 2 * hole] = 0;
    u32[index + 2 * hole + 1] = 0;
  }
}

/** Adds value * weight to the 128-bit sum at row + slot, weight to the i64 count behind it (slot + 16). */
function sumI64(
  memory: Memory,
  rows: number,
  slot: number,
  values: number,
  validity: number,
  weights: number,
  n: number,
): void {
  const { u32, i32, u8 } = memory;
  for (let i = 0; i < n; i += 1) {
    if (validity !== 0 && ((u8[validity + (i >>> 3)]! >>> (i & 7)) & 1) === 0) continue;
    const weight = weights === 0 ? 1 : i32[(weights >>> 2) + i]!;
    const at = (values >>> 2) + 2 * i;
    addProduct(
      u32,
      ((u32[(rows >>> 2) + i]! << 3) >>> 2) + (slot >>> 2),
      u32[at]!,
      i32[at + 1]!,
      weight,
    );
  }
}

/** As sumI64 over int4 values. */
function sumI32(
  memory: Memory,
  rows: number,
  slot: number,
  values: number,
  validity: number,
  weights: number,
  n: number,
): void {
  const { u32, i32, u8 } = memory;
  for (let i = 0; i < n; i += 1) {
    if (validity !== 0 && ((u8[validity + (i >>> 3)]! >>> (i & 7)) & 1) === 0) continue;
    const weight = weights === 0 ? 1 : i32[(weights >>> 2) + i]!;
    const value = i32[(values >>> 2) + i]!;
    const to = ((u32[(rows >>> 2) + i]! << 3) >>> 2) + (slot >>> 2);
    addProduct(u32, to, value >>> 0, value >> 31, weight);
  }
}

/** Words `to`..`to+3` (i128) += (high * 2^32 + low) * weight; words to+4, to+5 (i64) += weight. Exact. */
function addProduct(u32: Uint32Array, to: number, low: number, high: number, weight: number): void {
  // |low * weight| < 2^63 does not fit a double: split the weight's magnitude in 16-bit halves only when it is large.
  if (weight >= -0x10_0000 && weight <= 0x10_0000) {
    addAt(u32, to, low * weight, 6);
    addAt(u32, to + 1, high * weight, 5);
    addAt(u32, to + 4, weight, 2);
    return;
  }
  const upper = weight >> 16;
  const lower = weight & 0xffff;
  addAt(u32, to, low * lower, 6);
  addAt(u32, to + 1, high * lower, 5);
  const part = low * upper; // < 2^47 in magnitude: times 2^16 in two steps
  addAt(u32, to, (part % 0x1_0000) * 0x1_0000, 6);
  addAt(u32, to + 1, Math.trunc(part / 0x1_0000), 5);
  const highPart = high * upper;
  addAt(u32, to + 1, (highPart % 0x1_0000) * 0x1_0000, 5);
  addAt(u32, to + 2, Math.trunc(highPart / 0x1_0000), 4);
  addAt(u32, to + 4, weight, 2);
}

/**
 * Adds an integer |value| < 2^53 at word `at`, carrying to the end of its number: `words` counts from the sum's first word
 * as 6 - at, so 6, 5, 4 stop behind word 3 and 2 stops behind the count's second word.
 */
function addAt(u32: Uint32Array, at: number, value: number, words: number): void {
  const end = words === 2 ? at + 2 : at + words - 2;
  let carry = value;
  for (let w = at; w < end; w += 1) {
    const sum = u32[w]! + carry;
    u32[w] = sum % 0x1_0000_0000;
    carry = Math.floor(sum / 0x1_0000_0000);
    if (carry === 0) return;
  }
}

/** Adds the weights of valid rows to the i64 at row + slot. */
function addCount(
  memory: Memory,
  rows: number,
  slot: number,
  validity: number,
  weights: number,
  n: number,
): void {
  const { u32, i32, u8 } = memory;
  for (let i = 0; i < n; i += 1) {
    if (validity !== 0 && ((u8[validity + (i >>> 3)]! >>> (i & 7)) & 1) === 0) continue;
    const weight = weights === 0 ? 1 : i32[(weights >>> 2) + i]!;
    const at = ((u32[(rows >>> 2) + i]! << 3) >>> 2) + (slot >>> 2);
    const sum = u32[at]! + weight;
    u32[at] = sum;
    if (sum < 0) u32[at + 1]! -= 1;
    else if (sum > 0xffff_ffff) u32[at + 1]! += 1;
  }
}

/** The TypeScript bodies bound to `memory`. */
export function typescriptKernels(memory: Memory): Kernels {
  return {
    hashColumns: (descriptors, count, n, hashes) =>
      hashColumns(memory, descriptors, count, n, hashes),
    upsert: (table, descriptors, count, n, hashes, outRows, outNew) =>
      upsert(memory, table, descriptors, count, n, hashes, outRows, outNew),
    probe: (table, descriptors, count, n, hashes, outRows) =>
      probe(memory, table, descriptors, count, n, hashes, outRows),
    erase: (table, rows, n) => erase(memory, table, rows, n),
    sumI64: (rows, slot, values, validity, weights, n) =>
      sumI64(memory, rows, slot, values, validity, weights, n),
    sumI32: (rows, slot, values, validity, weights, n) =>
      sumI32(memory, rows, slot, values, validity, weights, n),
    addCount: (rows, slot, validity, weights, n) =>
      addCount(memory, rows, slot, validity, weights, n),
    // JsonObjectDecoder, which is called for what is left, is the TypeScript body.
    decodeJson: () => TEXT_LEFT,
  };
}
