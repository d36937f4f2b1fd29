/** What passes between the main thread and a query thread: one task, then packed rows over a port of its own. */

import type { PortError } from '../base/threads.ts';
import type { RelationHandle } from '../dataflow/port.ts';
import type { QueryPlan } from '../plan/plan-node.ts';
import type { ValueSettings } from '../types/value.ts';

/** Words of the shared control block. */
export const CANCEL_WORD = 0;
/** Batches that the reader is ready to take. */
export const CREDIT_WORD = 1;
export const CONTROL_BYTES = 8;

/** Packed batches under way to the main thread at most: its memory stays bounded while its client is slow. */
export const CREDITS = 4;

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
  readonly kernels: 'auto' | 'ts';
  readonly queryMemoryBytes: number;
  readonly batchRowsMax: number;
  readonly control: SharedArrayBuffer;
  readonly port: RowPort;
}

export type FromQuery =
  | { readonly kind: 'rows'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly error: PortError };
