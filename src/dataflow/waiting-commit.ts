/** A transaction that waits for its epoch, and what the engine has to know of it. */

import type { CommitRequest, CommitResult } from './port.ts';
import { bringsSourceRows } from './source-inputs.ts';

export interface WaitingCommit {
  readonly request: CommitRequest;
  /** When it came, in monotonic time. */
  readonly arrivedUs: bigint;
  resolve(result: CommitResult): void;
  reject(error: unknown): void;
}

export function dmlBytes({ dml, posts = [] }: CommitRequest): number {
  const rows = dml.reduce((sum, { rows }) => sum + (rows?.length ?? 0), 0);
  return posts.reduce((sum, { body }) => sum + body.bytes.length, rows);
}

/** When its rows came; null: it brings none. */
export function rowsArrivedUs({ request, arrivedUs }: WaitingCommit): bigint | null {
  return request.dml.length === 0 && !bringsSourceRows(request) ? null : arrivedUs;
}
