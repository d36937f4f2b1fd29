/**
 * SQL order of two values of one type, given by address in one memory. `compareBytes` breaks ties between values that are
 * SQL-equal but not identical (numeric 1.0 and 1.00, 0.0 and -0.0, bpchar blanks ...): semantics.md rule 9.
 */

import type { Memory } from '../memory/memory.ts';
import { compareViews, viewBytes } from '../memory/views.ts';
import type { DataType } from '../types/data-type.ts';
import { compareValues, decodeBytes } from '../types/value.ts';

/** Compares the values at addresses a and b; neither is NULL. */
export type AddressComparator = (a: number, b: number) => number;

const BYTE_ORDER_TYPES = new Set(['text', 'varchar', 'name', 'char', 'bytea', 'uuid', 'unknown']);

/** SQL order of `type`. */
export function valueComparator(memory: Memory, type: DataType): AddressComparator {
  switch (type.storage) {
    case 'u8':
      return (a, b) => memory.u8[a]! - memory.u8[b]!;
    case 'i32':
      return (a, b) => {
        const x = memory.i32[a >>> 2]!;
        const y = memory.i32[b >>> 2]!;
        return x < y ? -1 : x > y ? 1 : 0;
      };
    case 'i64':
      return (a, b) => compareI64(memory, a, b);
    case 'f64':
      return (a, b) => compareFloats(memory.f64[a >>> 3]!, memory.f64[b >>> 3]!);
    case 'view':
      return viewComparator(memory, type);
  }
}

function compareI64(memory: Memory, a: number, b: number): number {
  const { i32, u32 } = memory;
  const x = i32[(a >>> 2) + 1]!;
  const y = i32[(b >>> 2) + 1]!;
  if (x !== y) return x < y ? -1 : 1;
  const p = u32[a >>> 2]!;
  const q = u32[b >>> 2]!;
  return p < q ? -1 : p > q ? 1 : 0;
}

/** NaN is greatest and equal to itself; -0 equals 0. */
export function compareFloats(x: number, y: number): number {
  if (x < y) return -1;
  if (x > y) return 1;
  if (x === y) return 0;
  return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
}

function viewComparator(memory: Memory, type: DataType): AddressComparator {
  if (BYTE_ORDER_TYPES.has(type.id)) return (a, b) => compareViews(memory, a, b);
  if (type.id === 'numeric') return (a, b) => compareNumeric(memory, type, a, b);
  return (a, b) => compareDecoded(memory, type, a, b);
}

function compareDecoded(memory: Memory, type: DataType, a: number, b: number): number {
  return compareValues(
    type,
    decodeBytes(type, viewBytes(memory, a)),
    decodeBytes(type, viewBytes(memory, b)),
  );
}

/** Both of 12 bytes, with one scale, finite: compares the unscaled int64. Their layout: see decimal.ts. */
function compareNumeric(memory: Memory, type: DataType, a: number, b: number): number {
  const { u32, i32 } = memory;
  const x = a >>> 2;
  const y = b >>> 2;
  const isShort = u32[x] === 12 && u32[y] === 12 && u32[x + 1] === u32[y + 1];
  if (!isShort || u32[x + 1]! >>> 16 !== 0) return compareDecoded(memory, type, a, b);
  if (i32[x + 3] !== i32[y + 3]) return i32[x + 3]! < i32[y + 3]! ? -1 : 1;
  if (u32[x + 2] === u32[y + 2]) return 0;
  return u32[x + 2]! < u32[y + 2]! ? -1 : 1;
}

/** Order of the bytes that make the identity, for ties of SQL order; null where SQL-equal values are identical. */
export function bytesComparator(memory: Memory, type: DataType): AddressComparator | null {
  if (type.storage === 'f64') return (a, b) => compareI64(memory, a, b);
  if (type.storage !== 'view' || BYTE_ORDER_TYPES.has(type.id)) return null;
  return (a, b) => compareViews(memory, a, b);
}

/** (SQL order, bytes). */
export function canonicalComparator(memory: Memory, type: DataType): AddressComparator {
  const bySql = valueComparator(memory, type);
  const byBytes = bytesComparator(memory, type);
  return byBytes === null ? bySql : (a, b) => bySql(a, b) || byBytes(a, b);
}
