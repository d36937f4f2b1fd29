/**
 * DeltaBatch: up to 1024 rows of a change, as columns in WebAssembly memory, each row with an integer weight.
 *
 * Columns use the Arrow layout (values, validity bitmap, LSB first, 1 = valid) except that bool values take a byte each.
 * Addresses are byte addresses in `memory`, always 16-byte aligned at the start of a buffer.
 */

import type { Memory } from '../memory/memory.ts';
import type { Storage } from '../types/data-type.ts';

/** Rows in one batch at most; `batchRowsMax()` may be set lower in tests (1, 7). */
export const BATCH_ROWS_MAX = 1024;

export interface Column {
  readonly storage: Storage;
  /** Address of the values: rowCount elements of the storage's width (1, 4, 8, 8, 16 bytes). */
  readonly values: number;
  /** Address of the validity bitmap; 0: no NULLs. Bits behind rowCount are undefined. */
  readonly validity: number;
}

export interface DeltaBatch {
  readonly memory: Memory;
  readonly rowCount: number;
  readonly columns: readonly Column[];
  /** Address of an i32 weight for each row; 0: every weight is +1. */
  readonly weights: number;
  /** Address of an i64 watermark for each row as it stood when the row came (semantics.md rule 14); 0: use the epoch's. */
  readonly rowWatermarks: number;
}

/** Bytes of one value in a column. */
export function storageWidth(storage: Storage): 1 | 4 | 8 | 16 {
  switch (storage) {
    case 'u8':
      return 1;
    case 'i32':
      return 4;
    case 'view':
      return 16;
    default:
      return 8;
  }
}
