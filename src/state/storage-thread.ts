/** The storage thread's entry: the only writer of the catalog database, so that a long transaction holds nobody up. */

import { SystemClock } from '../base/clock.ts';
import { threadSelf, toPortError } from '../base/threads.ts';
import { CheckpointStore } from './checkpoint-store.ts';
import type { StorageReply, StorageRequest, StorageThreadData } from './storage-port.ts';

const self = threadSelf<StorageRequest, StorageReply, StorageThreadData>();
const clock = new SystemClock();
let store: CheckpointStore | null = null;

function handle(request: StorageRequest): void {
  switch (request.kind) {
    case 'save':
      store ??= new CheckpointStore(self.data.databasePath);
      store.save(request.head, request.changes);
      break;
    case 'close':
      store?.close();
      store = null;
      break;
  }
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
