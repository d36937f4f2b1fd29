/**
 * The rows of a query that runs on a thread of the pool, as the main thread takes them.
 *
 * A cancelled query is asked to stop; a thread that is in the middle of a long step does not look, and is terminated after a
 * short grace. The snapshot stays pinned until the thread has let go of it.
 */

import { SqlError } from '../base/sql-error.ts';
import { fromPortError } from '../base/threads.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { unpackBatch } from '../batch/pack.ts';
import { selectRange } from '../batch/select.ts';
import type { DataType } from '../types/data-type.ts';
import type { OpenQuery } from './open-query.ts';
import { CANCEL_WORD, CREDIT_WORD, type FromQuery, type RowPort } from './pool-port.ts';
import type { QueryMemory, QueryMemoryPool } from './query-memory.ts';
import type { RowSource } from './row-source.ts';
import { answerQuestion, cancelQuestions, type SessionLink } from './session-questions.ts';

/** How long a cancelled query may take to stop by itself. */
const STOP_GRACE_MS = 50;

/** The main thread's ends of what it shares with the query thread. */
export interface QueryThreadLink {
  readonly control: SharedArrayBuffer;
  readonly port: RowPort;
  readonly session: SessionLink | null;
  /** Terminates the thread. */
  readonly kill: AbortController;
}

export class PooledRows implements RowSource {
  readonly types: readonly DataType[];
  readonly #query: OpenQuery;
  readonly #link: QueryThreadLink;
  readonly #control: Int32Array;
  readonly #memories: QueryMemoryPool;
  readonly #memory: QueryMemory;
  readonly #arrived: Uint8Array[] = [];
  readonly #onAbort = () => this.#cancel();
  #killTimer: NodeJS.Timeout | null = null;
  #error: unknown = null;
  #hasEnded = false;
  #isClosed = false;
  #wake: (() => void) | null = null;
  #batch: DeltaBatch | null = null;
  #offset = 0;

  constructor(query: OpenQuery, link: QueryThreadLink, memories: QueryMemoryPool) {
    const { plan } = query.request;
    this.types = plan.node.columns.slice(0, plan.visibleCount).map((column) => column.type);
    this.#query = query;
    this.#link = link;
    this.#control = new Int32Array(link.control);
    this.#memories = memories;
    this.#memory = memories.acquire();
    link.port.on('message', (message: FromQuery) => this.#onMessage(message));
    query.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  async next(rowsMax: number): Promise<DeltaBatch | null> {
    for (;;) {
      this.#query.signal.throwIfAborted();
      const part = this.#part(rowsMax);
      if (part !== null) return part;
      const bytes = this.#arrived.shift();
      if (bytes !== undefined) this.#open(bytes);
      else if (this.#error !== null) throw this.#error;
      else if (this.#hasEnded || this.#isClosed) return null;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#query.signal.removeEventListener('abort', this.#onAbort);
    this.#memories.release(this.#memory);
    this.#arrived.length = 0;
    this.#batch = null;
    if (!this.#hasEnded) this.#cancel();
  }

  /** The thread could not be given the task, was terminated, or died with it. */
  fail(error: unknown): void {
    if (this.#hasEnded) return;
    const isKill = this.#link.kill.signal.aborted;
    this.#error ??= isKill
      ? new SqlError('57014', 'canceling statement due to user request')
      : new SqlError('53000', 'the query could not be run', {
          detail: error instanceof Error ? error.message : String(error),
        });
    this.#finish();
    this.#awake();
  }

  #open(bytes: Uint8Array): void {
    this.#memory.scratch.reset();
    this.#batch = unpackBatch(bytes, this.#memory.scratch)[0] ?? null;
    this.#offset = 0;
    Atomics.add(this.#control, CREDIT_WORD, 1);
    Atomics.notify(this.#control, CREDIT_WORD);
  }

  #part(rowsMax: number): DeltaBatch | null {
    const batch = this.#batch;
    if (batch === null || this.#offset >= batch.rowCount) return null;
    const count = Math.min(rowsMax, batch.rowCount - this.#offset);
    const from = this.#offset;
    this.#offset += count;
    return selectRange(batch, from, count, this.#memory.scratch);
  }

  #onMessage(message: FromQuery): void {
    switch (message.kind) {
      case 'rows':
        if (!this.#isClosed) this.#arrived.push(message.bytes);
        break;
      case 'ask': {
        const { environment } = this.#query.request;
        if (environment !== null && this.#link.session !== null)
          answerQuestion(message.question, environment, this.#link.session);
        return;
      }
      case 'error':
        this.#error ??= fromPortError(message.error);
        this.#finish();
        if (message.isHeavy) this.#link.kill.abort();
        break;
      case 'end':
        this.#finish();
        if (message.isHeavy) this.#link.kill.abort();
    }
    this.#awake();
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#killTimer !== null) clearTimeout(this.#killTimer);
    this.#query.pin.release();
    this.#link.port.close();
  }

  #cancel(): void {
    if (this.#hasEnded) return;
    Atomics.store(this.#control, CANCEL_WORD, 1);
    Atomics.add(this.#control, CREDIT_WORD, 1);
    Atomics.notify(this.#control, CREDIT_WORD);
    if (this.#link.session !== null) cancelQuestions(this.#link.session);
    this.#killTimer ??= setTimeout(() => this.#link.kill.abort(), STOP_GRACE_MS);
    this.#awake();
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
