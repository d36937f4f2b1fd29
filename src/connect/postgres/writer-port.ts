/** Messages between a thread that writes PostgreSQL synchronously and the thread that talks to the servers. */

import type { CourierEvent } from '../spool/courier-events.ts';
import type { SpoolPosition } from '../spool/spool.ts';
import type { SpoolContents } from '../spool/spooled-sink.ts';
import type { TableWriterOptions } from './table-writer.ts';

export type ToPostgresThread =
  | {
      readonly kind: 'open';
      readonly id: number;
      readonly contents: SpoolContents;
      readonly options: TableWriterOptions;
    }
  /** The spool of a writer holds whole epochs up to `end`. */
  | { readonly kind: 'spooled'; readonly id: number; readonly end: SpoolPosition }
  | { readonly kind: 'close'; readonly id: number };

export type FromPostgresThread = CourierEvent & { readonly id: number };
