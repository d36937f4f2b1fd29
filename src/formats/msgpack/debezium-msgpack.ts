/**
 * FORMAT DEBEZIUM ENCODE MSGPACK: change events (debezium-decoder.ts) as maps of "before", "after" and "op". The row in them is
 * decoded by MessagePackDecoder.
 */

import type { ValueSettings } from '../../types/settings.ts';
import type { DecodedColumn } from '../csv.ts';
import { PLACEHOLDER } from '../debezium-change.ts';
import {
  DebeziumDecoder,
  type EventReader,
  EventRows,
  NO_NAMES,
  type Span,
} from '../debezium-decoder.ts';
import { corrupt, MessagePackCursor } from './cursor.ts';
import { MessagePackDecoder } from './msgpack-decoder.ts';

/** A decoder of change events into these columns. `key`: numbers of the key's columns. */
export function openDebeziumMessagePack(
  columns: readonly DecodedColumn[],
  key: readonly number[],
  settings: ValueSettings,
): DebeziumDecoder {
  const open = (some: readonly DecodedColumn[]) => new MessagePackDecoder(some, settings);
  const reader = new MessagePackEventReader(new EventRows(columns, key, open));
  return new DebeziumDecoder(columns, key, reader);
}

class MessagePackEventReader implements EventReader {
  readonly before: Span = { start: -1, end: 0 };
  readonly after: Span = { start: -1, end: 0 };
  op: string | null = null;
  readonly #rows: EventRows;
  readonly #cursor = new MessagePackCursor();

  constructor(rows: EventRows) {
    this.#rows = rows;
  }

  get errorOffset(): number {
    return this.#cursor.at;
  }

  read(bytes: Buffer, start: number, end: number): EventRows {
    this.before.start = -1;
    this.after.start = -1;
    this.op = null;
    const cursor = this.#cursor;
    cursor.start(bytes, start, end);
    for (let left = memberCount(cursor); left > 0; left -= 1) this.#takeMember(bytes);
    if (!cursor.isAtEnd) throw corrupt('bytes follow its map');
    return this.#rows;
  }

  #takeMember(bytes: Buffer): void {
    const cursor = this.#cursor;
    const name = takeKey(cursor, bytes);
    const { at } = cursor;
    cursor.head();
    const { kind, number } = cursor;
    const body = cursor.at;
    cursor.skipBody();
    if (name === 'op') this.op = kind === 'text' ? textAt(bytes, body, number) : null;
    const span = name === 'before' ? this.before : name === 'after' ? this.after : null;
    if (span === null) return;
    span.start = kind === 'map' ? at : -1;
    span.end = cursor.at;
  }

  gaps(bytes: Buffer): ReadonlySet<string> {
    const { start, end } = this.after;
    if (!bytes.subarray(start, end).includes(PLACEHOLDER)) return NO_NAMES;
    const names = new Set<string>();
    const cursor = new MessagePackCursor();
    cursor.start(bytes, start, end);
    for (let left = memberCount(cursor); left > 0; left -= 1) {
      const name = takeKey(cursor, bytes);
      if (takePlaceholder(cursor, bytes)) names.add(name.toLowerCase());
    }
    return names;
  }
}

/** Of the map that begins here. */
function memberCount(cursor: MessagePackCursor): number {
  cursor.head();
  if (cursor.kind !== 'map') throw corrupt('it must be a map');
  return cursor.number;
}

/** A member's key; '': it is no text. */
function takeKey(cursor: MessagePackCursor, bytes: Buffer): string {
  cursor.head();
  const { kind, number, at } = cursor;
  cursor.skipBody();
  return kind === 'text' ? textAt(bytes, at, number) : '';
}

function textAt(bytes: Buffer, start: number, size: number): string {
  return bytes.toString('utf8', start, start + size);
}

/** Moves over a value; whether it is nothing but the placeholder, as a text or bytes, alone or alone in an array. */
function takePlaceholder(cursor: MessagePackCursor, bytes: Buffer): boolean {
  cursor.head();
  if (cursor.kind === 'array' && cursor.number === 1) cursor.head();
  const { kind, number, at } = cursor;
  cursor.skipBody();
  const isText = kind === 'text' || kind === 'binary';
  return isText && bytes.subarray(at, at + number).equals(PLACEHOLDER);
}
