/** The storage thread's entry: the only writer of the catalog database, so that a long transaction holds nobody up. */

import { SystemClock } from '../base/clock.ts';
import { threadSelf, toPortError } from '../base/threads.ts';
import { type ChangedPages, CheckpointStore } from './checkpoint-store.ts';
import type { StorageReply, StorageRequest, StorageThreadData } from './storage-port.ts';

const self = threadSelf<StorageRequest, StorageReply, StorageThreadData>();
const clock = new SystemClock();
let store: CheckpointStore | null = null;

function handle(request: StorageRequest): void {
  switch (request.kind) {
    case 'save':
      store ??= new CheckpointStore(self.data.databasePath);
      try {
        store.save(request.head, request.changes);
      } finally {
        release(request.changes);
      }
      break;
    case 'close':
      store?.close();
      store = null;
      break;
  }
}

/** Frees the captured pages at once: a thread that allocates little collects its garbage late. */
function release(changes: readonly ChangedPages[]): void {
  for (const { bytes } of changes) (bytes.buffer as ArrayBuffer).transfer(0);
}

self.onMessage((request) => {
  const startUs = clock.monotonicUs();
  try {
    handle(request);
    const elapsedMs = Number(clock.monotonicUs() - startUs) / 1000;
    self.post({ kind: 'done', id: request.id, elapsedMs });
  } catch (error) {
    self.post({ kind: 'failed', id: request.id, error: toPortError(error) });
  }
  if (request.kind === 'close') self.close();
});
