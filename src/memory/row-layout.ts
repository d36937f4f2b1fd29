/**
 * RowLayout: where each column of a state row lies. A row: hash u32, state u32, validity bits (whole bytes, LSB first,
 * 1 = valid), columns at their natural alignment (views 8), then the owner's extra bytes (8-aligned, zero in a new row).
 * Rows are multiples of 8 bytes and 8-aligned: a row id is its address / 8.
 */

import type { Storage } from '../types/data-type.ts';

export const ROW_HASH = 0;
export const ROW_STATE = 4;
export const ROW_VALIDITY = 8;
export const STATE_LIVE = 1;
export const STATE_INDEXED = 2;

/** Numbers of the storages in kernels' column descriptors. */
export const STORAGE_CODE: Readonly<Record<Storage, number>> = Object.freeze({
  u8: 0,
  i32: 1,
  i64: 2,
  f64: 3,
  view: 4,
});

const WIDTHS: Readonly<Record<Storage, number>> = { u8: 1, i32: 4, i64: 8, f64: 8, view: 16 };

export class RowLayout {
  readonly storages: readonly Storage[];
  /** Bytes from the row's start to each column. */
  readonly offsets: readonly number[];
  readonly extraOffset: number;
  readonly rowBytes: number;
  /** Columns that are views. */
  readonly viewColumns: readonly number[];

  constructor(storages: readonly Storage[], extraBytes: number) {
    this.storages = storages;
    const offsets = new Array<number>(storages.length).fill(0);
    let at = ROW_VALIDITY + ((storages.length + 7) >>> 3);
    for (const width of [1, 4, 8, 16]) {
      const alignment = Math.min(width, 8);
      for (let column = 0; column < storages.length; column += 1) {
        if (WIDTHS[storages[column]!] !== width) continue;
        at = Math.ceil(at / alignment) * alignment;
        offsets[column] = at;
        at += width;
      }
    }
    this.offsets = offsets;
    this.extraOffset = (at + 7) & ~7;
    this.rowBytes = (this.extraOffset + extraBytes + 7) & ~7;
    this.viewColumns = storages.flatMap((storage, column) => (storage === 'view' ? [column] : []));
  }
}
