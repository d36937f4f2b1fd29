/** What a query is opened with, and what the service that runs queries is made of. */

import type { Log } from '../base/log.ts';
import type { EnginePort } from '../dataflow/client.ts';
import type { EpochPin } from '../state/epoch-control.ts';
import type { QueryRequest } from './query-execution.ts';
import type { SystemRowsProvider } from './snapshot-inputs.ts';
import type { WriteSet } from './write-set.ts';

export interface QueryServiceOptions {
  readonly engine: EnginePort;
  readonly log: Log;
  readonly kernels: 'auto' | 'ts';
  readonly queryMemoryBytes: number;
  readonly batchRowsMax: number;
}

export interface OpenQuery {
  readonly request: Omit<QueryRequest, 'batchRowsMax'>;
  /** Released when the rows are closed. */
  readonly pin: EpochPin;
  readonly writes: WriteSet | null;
  readonly systemRows: SystemRowsProvider;
  /** Aborted with the error to throw. */
  readonly signal: AbortSignal;
  /** The query calls functions that ask the session. */
  readonly needsSession: boolean;
}
