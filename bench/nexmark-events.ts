/**
 * The generator's events as JSON, all kinds in one stream: {"event_type":2,"person":null,"auction":null,"bid":{...}}, in the
 * order of their numbers; or their types and bids as CSV.
 */

import { SystemClock } from '../src/base/clock.ts';
import { readValue } from '../src/batch/read-value.ts';
import { checkSourceOptions, defaultSourceColumns, openSource } from '../src/connect/connectors.ts';
import type { SourceChunk, SourceColumn, SourceReader } from '../src/connect/source.ts';
import { Memory } from '../src/memory/memory.ts';
import { Scratch } from '../src/memory/scratch.ts';
import { DEFAULT_SETTINGS } from '../src/types/settings.ts';
import { formatValue } from '../src/types/value.ts';
import type { EventKind, Volume } from './nexmark-cases.ts';

const KINDS: readonly EventKind[] = ['person', 'auction', 'bid'];
const CHUNK_ROWS = 1024;
/** Of 50 events: one person, then three auctions, then bids. */
const CYCLE = 50;
const AUCTIONS_END = 4;

/** Each event as one JSON object, without a line end. */
export function* jsonEvents(volume: Volume): Generator<string> {
  const streams = KINDS.map((kind) => eventsOf(kind, volume));
  for (let n = 0; n < volume.events; n += 1) {
    const rest = n % CYCLE;
    const type = rest === 0 ? 0 : rest < AUCTIONS_END ? 1 : 2;
    const { value } = streams[type]!.next();
    const parts = KINDS.map((kind, i) => `"${kind}":${i === type ? value : 'null'}`);
    yield `{"event_type":${type},${parts.join(',')}}`;
  }
}

/** Each event as a line of the CSV that CSV_HEADER begins, without a line end. */
export function* csvEvents(volume: Volume): Generator<string> {
  for (const event of jsonEvents(volume)) {
    const { event_type: type, bid } = JSON.parse(event);
    yield [type, ...BID_COLUMNS.map((name) => bid?.[name] ?? '')].join(',');
  }
}

export const BID_COLUMNS = ['auction', 'bidder', 'price', 'channel', 'url', 'date_time', 'extra'];
export const CSV_HEADER = ['event_type', ...BID_COLUMNS].join(',');

/** The events, of which one in `every` is spoilt: no end or one field, half of it, a name without quotes or no number, a wrong type. */
export function* poisoned(events: Iterable<string>, every: number): Generator<string> {
  let n = 0;
  for (const event of events) {
    const spoil =
      n % every === every - 1 ? SPOILERS[Math.floor(n / every) % SPOILERS.length] : null;
    yield spoil?.(event) ?? event;
    n += 1;
  }
}

const SPOILERS: readonly ((event: string) => string)[] = [
  (event) => (event.startsWith('{') ? event.slice(0, -1) : event.replaceAll(',', ';')),
  (event) => event.slice(0, event.length >>> 1),
  (event) => event.replace('"bid":', 'bid:').replace(/^(\d+,)/, '$1x'),
  (event) => event.replace(/^({"event_type":)?\d/, '$1"two"'),
];

function* eventsOf(kind: EventKind, volume: Volume): Generator<string, never> {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const { reader, columns } = openGenerator(kind, volume, memory, scratch);
  for (;;) {
    const mark = scratch.mark();
    const chunk = reader.poll(CHUNK_ROWS);
    if (chunk === null || (chunk.batch === null && chunk.isEnded)) break;
    yield* rowsOf(chunk, columns, memory);
    scratch.release(mark);
  }
  throw new Error(`the generator has no more events of kind ${kind}`);
}

function* rowsOf(
  { batch }: SourceChunk,
  columns: readonly SourceColumn[],
  memory: Memory,
): Generator<string> {
  for (let row = 0; row < (batch?.rowCount ?? 0); row += 1) {
    const members = columns.map(({ name, type }, i) => {
      const value = readValue(memory, batch!.columns[i]!, type, row)!;
      const text = formatValue(type, value, DEFAULT_SETTINGS);
      return `"${name}":${type.id === 'int8' ? text : JSON.stringify(text)}`;
    });
    yield `{${members.join(',')}}`;
  }
}

function openGenerator(
  kind: EventKind,
  volume: Volume,
  memory: Memory,
  scratch: Scratch,
): { readonly reader: SourceReader; readonly columns: readonly SourceColumn[] } {
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
  const columns = defaultSourceColumns(definition) ?? [];
  const clock = new SystemClock();
  const checked = checkSourceOptions(definition, columns, { fileRoots: [], clock });
  const wanted = columns.map((_, i) => i);
  const rejecting = {
    notNull: [],
    rejectedBytesMax: 0,
    mayRejectLater: false,
    unknownSchemas: new Set<number>(),
  };
  const context = {
    memory,
    scratch,
    clock,
    fileRoots: [],
    wanted,
    ...rejecting,
    wake: () => undefined,
    warn: () => undefined,
  };
  const reader = openSource(checked, columns, context);
  reader.start(new Map());
  return { reader, columns };
}
