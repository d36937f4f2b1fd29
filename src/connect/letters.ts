/** What a source's letters are written elsewhere as: one row for each rejected record (semantics.md rule 27). */

import { BOOL, BYTEA, INT4, INT8, TEXT } from '../types/data-type.ts';
import type { SinkColumn } from './sink.ts';

/** In the order of letters: `id` is their number. */
export const LETTER_COLUMNS = [
  { name: 'id', type: INT8 },
  { name: 'source', type: TEXT },
  { name: 'reason', type: TEXT },
  { name: 'sqlstate', type: TEXT },
  { name: 'topic', type: TEXT },
  { name: 'partition', type: INT4 },
  { name: 'record_offset', type: INT8 },
  { name: 'key', type: BYTEA },
  { name: 'raw', type: BYTEA },
  { name: 'is_cut', type: BOOL },
  { name: 'timestamp_ms', type: INT8 },
  { name: 'context', type: TEXT },
] as const satisfies readonly SinkColumn[];

export type LetterColumn = (typeof LETTER_COLUMNS)[number]['name'];
