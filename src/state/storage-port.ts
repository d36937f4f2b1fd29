/** Messages between the storage thread and whoever saves checkpoints. */

import type { PortError } from '../base/threads.ts';
import type { ChangedPages, CheckpointHead } from './checkpoint-store.ts';

export interface StorageThreadData {
  readonly databasePath: string;
}

export type StorageRequest =
  | {
      readonly kind: 'save';
      readonly id: number;
      readonly head: CheckpointHead;
      readonly changes: readonly ChangedPages[];
    }
  | { readonly kind: 'close'; readonly id: number };

export type StorageReply =
  | { readonly kind: 'done'; readonly id: number; readonly elapsedMs: number }
  | { readonly kind: 'failed'; readonly id: number; readonly error: PortError };
