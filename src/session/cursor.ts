/** SQL cursors: DECLARE, FETCH, MOVE, CLOSE over a row source. They read the snapshot of their DECLARE, forward only. */

import type { RowSource } from '../serve/row-source.ts';
import type { ResultField } from './port.ts';

export interface Cursor {
  readonly name: string;
  readonly statement: string;
  readonly fields: readonly ResultField[];
  readonly rows: RowSource;
  /** WITH HOLD: outlives its transaction. */
  readonly isHeld: boolean;
  /** The transaction that declared it. */
  readonly transactionId: number;
  /** Rows that were fetched or moved over. */
  position: number;
}
