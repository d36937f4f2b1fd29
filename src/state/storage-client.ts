/** The worker's end of the storage thread: saves checkpoints beside the dataflow. */

import { entry, ReplyTable, spawnThread, type Thread } from '../base/threads.ts';
import type { CheckpointTarget } from './checkpoint.ts';
import type { ChangedPages, CheckpointHead } from './checkpoint-store.ts';
import type { StorageReply, StorageRequest, StorageThreadData } from './storage-port.ts';

export class StorageClient implements CheckpointTarget {
  readonly #thread: Thread<StorageRequest, StorageReply>;
  readonly #replies = new ReplyTable();

  constructor(databasePath: string) {
    const data: StorageThreadData = { databasePath };
    this.#thread = spawnThread(entry(import.meta.url, './storage-thread.ts'), {
      name: 'storage',
      data,
    });
    this.#thread.onMessage((reply) => {
      if (reply.kind === 'done') this.#replies.resolve(reply.id, reply.elapsedMs);
      else this.#replies.reject(reply.id, reply.error);
    });
    this.#thread.onExit((error) => {
      this.#replies.failAll(error ?? new Error('the storage thread has ended'));
    });
  }

  /** Durable when it resolves, with the milliseconds that it took. */
  save(head: CheckpointHead, changes: readonly ChangedPages[]): Promise<number> {
    const { id, reply } = this.#replies.open<number>();
    const transfer = changes.map((change) => change.bytes.buffer as ArrayBuffer);
    this.#thread.post({ kind: 'save', id, head, changes }, transfer);
    return reply;
  }

  /** Ends the thread after what is being saved. */
  async close(): Promise<void> {
    const { id, reply } = this.#replies.open<number>();
    this.#thread.post({ kind: 'close', id });
    await reply;
  }
}
