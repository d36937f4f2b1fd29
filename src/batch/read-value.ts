/** One value of a column as a JavaScript value. */

import type { Memory } from '../memory/memory.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { decodeBytes } from '../types/value.ts';
import { type Column, type DeltaBatch, storageWidth } from './delta-batch.ts';

export function isNull({ memory }: DeltaBatch, { validity }: Column, row: number): boolean {
  return validity !== 0 && ((memory.u8[validity + (row >>> 3)]! >>> (row & 7)) & 1) === 0;
}

/** Reads row `row` of a column as a JavaScript value; null for NULL. */
export function readValue(memory: Memory, column: Column, type: DataType, row: number): Value {
  const { u8 } = memory;
  const { validity, values } = column;
  if (validity !== 0 && ((u8[validity + (row >>> 3)]! >>> (row & 7)) & 1) === 0) return null;
  return readValueAt(memory, values + row * storageWidth(column.storage), type);
}

/** Reads the non-NULL value at an address. */
export function readValueAt(memory: Memory, address: number, type: DataType): Value {
  switch (type.storage) {
    case 'u8':
      return memory.u8[address] === 1;
    case 'i32':
      return memory.i32[address >>> 2]!;
    case 'i64':
      return memory.i64[address >>> 3]!;
    case 'f64':
      return memory.f64[address >>> 3]!;
    case 'view': {
      const length = memory.u32[address >>> 2]!;
      const data = length > 12 ? memory.u32[(address >>> 2) + 3]! : address + 4;
      return decodeBytes(type, memory.u8.slice(data, data + length));
    }
  }
}
