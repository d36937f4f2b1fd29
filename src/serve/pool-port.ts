/** What passes between the main thread and a query thread: one task, then packed rows over a port of its own. */

import type { PortError } from '../base/threads.ts';
import type { RelationHandle } from '../dataflow/port.ts';
import type { QueryPlan } from '../plan/plan-node.ts';
import type { ValueSettings } from '../types/value.ts';
import type { OwnRows } from './own-writes.ts';
import type { Question, SessionLink } from './session-questions.ts';

/** Words of the shared control block. */
export const CANCEL_WORD = 0;
/** Batches that the reader is ready to take. */
export const CREDIT_WORD = 1;
/** Stays 0: what a thread sleeps on that waits to be terminated. */
export const DONE_WORD = 2;
export const CONTROL_BYTES = 12;

/**
 * Packed batches (of up to 1024 rows) under way to the main thread at most: its memory stays bounded while its client is
 * slow, and the thread is free for others once a result of that size is out, however slowly it is read.
 */
export const CREDITS = 32;

/** The end of a channel that packed rows go through. */
export type RowPort = InstanceType<typeof MessageChannel>['port1'];

export interface QueryTask {
  readonly plan: QueryPlan;
  /** null: no limit (Infinity is no JSON). */
  readonly limit: number | null;
  readonly offset: number;
  readonly settings: ValueSettings;
  readonly nowUs: bigint;
  readonly epoch: number;
  readonly relations: readonly RelationHandle[];
  readonly ownRows: readonly OwnRows[];
  /** Rows of system relations by the number of their scan. */
  readonly systemRows: ReadonlyMap<number, readonly Uint8Array[]>;
  /** null: the query asks the session nothing. */
  readonly session: SessionLink | null;
  readonly kernels: 'auto' | 'ts';
  readonly queryMemoryBytes: number;
  readonly batchRowsMax: number;
  readonly control: SharedArrayBuffer;
  readonly port: RowPort;
}

export type FromQuery =
  | { readonly kind: 'rows'; readonly bytes: Uint8Array }
  | { readonly kind: 'ask'; readonly question: Question }
  /** `isHeavy`: the thread holds much memory that only its end gives back: it waits to be terminated. */
  | { readonly kind: 'end'; readonly isHeavy: boolean }
  | { readonly kind: 'error'; readonly error: PortError; readonly isHeavy: boolean };
