/** The generator alone (q-null): what making the columns that a query reads costs, without server, log or operators. */

import { SystemClock } from '../src/base/clock.ts';
import { checkSourceOptions, defaultSourceColumns, openSource } from '../src/connect/connectors.ts';
import { Memory } from '../src/memory/memory.ts';
import { Scratch } from '../src/memory/scratch.ts';
import type { ColumnsRead, EventKind, Volume } from './nexmark-cases.ts';

const CHUNK_ROWS = 1024;
const WARM_UP_EVENTS = 200_000;

/** CPU seconds of generating `volume` once, the code warmed up before. */
export function generatorCpuSeconds(columns: ColumnsRead, volume: Volume): number {
  const warmUp = { ...volume, events: Math.min(volume.events, WARM_UP_EVENTS) };
  generate(columns, warmUp);
  const before = process.cpuUsage();
  generate(columns, volume);
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1e6;
}

function generate(columns: ColumnsRead, volume: Volume): void {
  for (const [kind, names] of Object.entries(columns) as [EventKind, readonly string[]][]) {
    generateStream(kind, names, volume);
  }
}

function generateStream(kind: EventKind, names: readonly string[], volume: Volume): void {
  const definition = {
    connector: 'nexmark',
    options: {
      'nexmark.table.type': kind,
      'nexmark.max.events': String(volume.events),
      'nexmark.event.rate': String(volume.rate),
    },
    format: null,
    encode: null,
    encodeOptions: {},
  };
  const all = defaultSourceColumns(definition) ?? [];
  const clock = new SystemClock();
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const checked = checkSourceOptions(definition, all, { fileRoots: [], clock });
  const wanted = names.map((name) => all.findIndex((column) => column.name === name));
  const reader = openSource(checked, all, {
    memory,
    scratch,
    clock,
    fileRoots: [],
    notNull: [],
    rejectedBytesMax: 0,
    mayRejectLater: false,
    unknownSchemas: new Set(),
    wanted,
    wake: () => undefined,
    warn: () => undefined,
  });
  reader.start(new Map());
  for (;;) {
    const mark = scratch.mark();
    const chunk = reader.poll(CHUNK_ROWS);
    const isEnded = chunk === null || chunk.isEnded;
    scratch.release(mark);
    if (isEnded) break;
  }
  reader.close();
}
