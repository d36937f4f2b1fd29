/**
 * Recovery: the newest checkpoint put back into memories, then the log's records behind it, in order.
 *
 * Nothing is changed on the way: what cannot be trusted (a wrong checksum, a missing segment, a newer format) is a SqlError
 * XX001 with one line that says what to do. The caller replays the entries and only then opens for reads.
 */

import { existsSync } from 'node:fs';
import { type ImageMemory, restorePages } from './checkpoint.ts';
import { type CheckpointHead, CheckpointStore } from './checkpoint-store.ts';
import { InputLog, type LogPosition } from './input-log.ts';
import { decodeLogEntry, type Manifest } from './manifest.ts';

export interface RecoveredEntry {
  readonly manifest: Manifest;
  readonly end: LogPosition;
}

export interface Recovery {
  /** null: there was none, start empty. */
  readonly checkpoint: CheckpointHead | null;
  /** Open for appending, its tail repaired. */
  readonly log: InputLog;
  /** No epoch number up to here may be used again, but by the replayed manifests. */
  readonly reservedThrough: number;
  /** The manifests behind the checkpoint, in order. */
  entries(): Generator<RecoveredEntry>;
}

export interface RecoveryTaker {
  /** Makes a memory of the checkpoint; it is filled. */
  createMemory(name: string): ImageMemory;
  /** Each manifest behind the checkpoint, before anything is replayed. */
  foresee?(manifest: Manifest): void;
}

/** Opens what `databasePath` and `logDirectory` hold. */
export function recover(
  databasePath: string,
  logDirectory: string,
  taker: RecoveryTaker,
): Recovery {
  const checkpoint = existsSync(databasePath) ? loadCheckpoint(databasePath, taker) : null;
  const position = checkpoint?.position ?? null;
  const log = InputLog.open(logDirectory, { durableThrough: position });
  let reservedThrough = checkpoint?.reservedThrough ?? 0;
  for (const { bytes } of log.records(position)) {
    const entry = decodeLogEntry(bytes);
    const through = entry.kind === 'reserve' ? entry.through : entry.epoch;
    reservedThrough = Math.max(reservedThrough, through);
    if (entry.kind === 'epoch') taker.foresee?.(entry);
  }
  return { checkpoint, log, reservedThrough, entries: () => manifests(log, position) };
}

function* manifests(log: InputLog, from: LogPosition | null): Generator<RecoveredEntry> {
  for (const { bytes, end } of log.records(from)) {
    const entry = decodeLogEntry(bytes);
    if (entry.kind === 'epoch') yield { manifest: entry, end };
  }
}

function loadCheckpoint(databasePath: string, taker: RecoveryTaker): CheckpointHead | null {
  const store = new CheckpointStore(databasePath);
  try {
    const head = store.head();
    for (const image of head?.memories ?? []) {
      restorePages(taker.createMemory(image.name), image.pageCount, store.pages(image));
    }
    return head;
  } finally {
    store.close();
  }
}
