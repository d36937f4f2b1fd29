/** The time limit and the cancel signal of the running statement. */

import { SqlError } from '../base/sql-error.ts';
import type { SessionState } from './session-state.ts';

export class StatementClock {
  readonly #state: SessionState;
  #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #startedUs: bigint | null = null;

  constructor(state: SessionState) {
    this.#state = state;
  }

  /** How long the running statement has taken, in microseconds; null: none runs. */
  get elapsedUs(): bigint | null {
    if (this.#startedUs === null) return null;
    return this.#state.database.clock.monotonicUs() - this.#startedUs;
  }

  /** A message begins: a fresh signal, and its time limit. */
  start(): void {
    this.#startedUs = this.#state.database.clock.monotonicUs();
    this.#controller = new AbortController();
    this.#state.signal = this.#controller.signal;
    const limitMs = this.#state.variables.durationMs('statement_timeout');
    if (limitMs > 0) {
      const error = new SqlError('57014', 'canceling statement due to statement timeout');
      this.#timer = setTimeout(() => this.abort(error), limitMs);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#startedUs = null;
  }

  abort(error: SqlError): void {
    this.#controller.abort(error);
  }

  /** What stopped a statement: the cancel's own error where it was cancelled. */
  reasonOf(error: unknown): unknown {
    const { aborted, reason } = this.#controller.signal;
    const isCancel = error instanceof SqlError && error.sqlstate === '57014';
    return aborted && isCancel ? reason : error;
  }
}
