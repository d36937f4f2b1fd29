/** COPY ... FROM STDIN through `pg`, for tests: sends all of `data`, or breaks off in the middle. */

import type pg from 'pg';

interface CopyConnection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sync(): void;
}

/** Runs the COPY; resolves with the number of rows that the server took. */
export function copyIn(client: pg.Client, sql: string, data: string): Promise<number> {
  return new Promise((resolve, reject) => {
    client.query(new CopyIn(sql, Buffer.from(data), resolve, reject));
    client.once('end', () => reject(new Error('the connection ended during COPY')));
  });
}

/** What `pg` calls back while the COPY runs. */
class CopyIn implements pg.Submittable {
  readonly #sql: string;
  readonly #data: Buffer;
  readonly #resolve: (count: number) => void;
  readonly #reject: (error: Error) => void;
  #count = 0;
  #error: Error | null = null;
  /** `pg` puts here what ends the timer of `query_timeout`; where that runs on, the process does, too. */
  callback: (() => void) | null = null;

  constructor(
    sql: string,
    data: Buffer,
    resolve: (count: number) => void,
    reject: (error: Error) => void,
  ) {
    this.#sql = sql;
    this.#data = data;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: pg.Connection): void {
    (connection as unknown as CopyConnection).query(this.#sql);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    const chunkBytes = 16 * 1024;
    for (let at = 0; at < this.#data.length; at += chunkBytes) {
      connection.sendCopyFromChunk(this.#data.subarray(at, at + chunkBytes));
    }
    connection.endCopyFrom();
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#count = Number(message.text.replace(/^COPY /, ''));
  }

  handleError(error: Error): void {
    this.#error = error;
    this.callback?.();
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.callback?.();
    if (this.#error === null) this.#resolve(this.#count);
  }
}
