/** What an epoch takes in from sources, in the order in which it takes effect, and as its manifest names it. */

import type { SchemaNews, SourceChunk } from '../connect/source.ts';
import type { SplitProgress } from '../state/manifest.ts';
import type { SourceFeed } from './source-feed.ts';
import { isSamePosition } from './source-reading.ts';

export interface PolledChunk {
  readonly feed: SourceFeed;
  readonly chunk: SourceChunk;
}

export interface IdleSplit {
  readonly feed: SourceFeed;
  readonly split: string;
}

/** Rule 9: by (source, split), each split's chunks as they came. */
export function inOrder(chunks: readonly PolledChunk[]): PolledChunk[] {
  return [...chunks].sort((a, b) => {
    const bySource = a.feed.relation.id - b.feed.relation.id;
    if (bySource !== 0) return bySource;
    if (a.chunk.split === b.chunk.split) return 0;
    return a.chunk.split < b.chunk.split ? -1 : 1;
  });
}

/** The manifest's ranges of sorted chunks: one for each split. */
export function progressOf(chunks: readonly PolledChunk[]): SplitProgress[] {
  const splits: SplitProgress[] = [];
  for (const { feed, chunk } of chunks) {
    const rowCount = chunk.batch?.rowCount ?? 0;
    const last = splits.at(-1);
    const sourceId = feed.relation.id;
    const { split, from, to, isEnded, schemas } = chunk;
    const isSame = last !== undefined && last.sourceId === sourceId && last.split === split;
    if (isSame && isSamePosition(last.to, from)) {
      splits[splits.length - 1] = {
        ...last,
        to,
        rowCount: last.rowCount + rowCount,
        isEnded: last.isEnded || isEnded,
        ...(schemas === undefined ? {} : { schemas: joined(last.schemas, schemas) }),
      };
      continue;
    }
    const progress = { sourceId, split, from, to, rowCount, watermark: '', isIdle: false, isEnded };
    splits.push(schemas === undefined ? progress : { ...progress, schemas });
  }
  return splits;
}

/** What a reader knows of its registry is the same for all chunks of an epoch. */
function joined(a: SchemaNews | undefined, b: SchemaNews): SchemaNews {
  const all = (name: keyof SchemaNews) => [...new Set([...(a?.[name] ?? []), ...b[name]])];
  return { unknown: all('unknown'), known: all('known') };
}

export function idleProgress({ feed, split }: IdleSplit): SplitProgress {
  const position = feed.positionOf(split);
  return {
    sourceId: feed.relation.id,
    split,
    from: position,
    to: position,
    rowCount: 0,
    watermark: '',
    isIdle: true,
    isEnded: false,
  };
}
