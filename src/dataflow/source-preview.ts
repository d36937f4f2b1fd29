/**
 * SourcePreview: a look at what an unstored source has, apart from what views have taken in: from where the source began, up to
 * a number of records or as long as it may take. Nothing is counted, nobody is held up: it reads between epochs.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { SqlError } from '../base/sql-error.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { packBatch } from '../batch/pack.ts';
import type { SourceChunk, SourceReader } from '../connect/source.ts';
import type { Scratch } from '../memory/scratch.ts';

export interface PreviewLimits {
  readonly rowsMax: number;
  readonly timeoutMs: number;
}

export interface SourcePreview {
  /** Rows of all columns (batch/pack.ts). */
  readonly packed: readonly Uint8Array[];
  /** All that there was by now; false: a limit came first. */
  readonly isWhole: boolean;
}

export interface PreviewedSource {
  readonly reader: SourceReader;
  readonly scratch: Scratch;
  /** The chunk's rows with all columns; null: none is left. */
  complete(chunk: SourceChunk): DeltaBatch | null;
  /** Resolves when the reader has more. */
  woken(): Promise<void>;
}

/** What is sent to a source passes by: there is nothing to look at. */
export function notKept(name: string): SqlError {
  return new SqlError('55000', `source "${name}" keeps no rows that could be looked at`, {
    hint: 'What is sent to it passes on to the views that read it: create a materialized view.',
  });
}

/** Paced readers have more without waking anybody. */
const POLL_MS = 20;

export async function previewSource(
  source: PreviewedSource,
  { rowsMax, timeoutMs }: PreviewLimits,
): Promise<SourcePreview> {
  const { reader } = source;
  const end = performance.now() + timeoutMs;
  const packed: Uint8Array[] = [];
  /** Splits that have nothing more by now. */
  const atEnd = new Set<string>();
  for (let rows = 0; rows < rowsMax; ) {
    const woken = source.woken();
    const chunk = takeChunk(source, rowsMax - rows, packed);
    if (chunk !== null) {
      rows += chunk.rowCount;
      if (chunk.isAtEnd) atEnd.add(chunk.split);
    }
    const { splits } = reader;
    if (splits.length > 0 && splits.every((split) => atEnd.has(split))) {
      return { packed, isWhole: true };
    }
    if (performance.now() > end) break;
    if (chunk === null) await Promise.race([woken, delay(POLL_MS)]);
  }
  return { packed, isWhole: false };
}

interface Taken {
  readonly split: string;
  readonly rowCount: number;
  readonly isAtEnd: boolean;
}

function takeChunk(source: PreviewedSource, rowsMax: number, packed: Uint8Array[]): Taken | null {
  const { reader, scratch } = source;
  const mark = scratch.mark();
  try {
    const chunk = reader.poll(rowsMax);
    if (chunk === null) return null;
    const rows = chunk.batch === null ? null : source.complete(chunk);
    if (rows !== null) packed.push(packBatch(rows));
    const isAtEnd = chunk.isAtEnd || chunk.isEnded;
    return { split: chunk.split, rowCount: rows?.rowCount ?? 0, isAtEnd };
  } finally {
    scratch.release(mark);
  }
}
