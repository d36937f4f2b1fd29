/**
 * MessageParts: where the parts of one message in a message lie. Mostly there is one; several are merged, which is to read them
 * as one behind the other.
 *
 * Cost: O(1) a part; reading several copies them once.
 */

import { ByteWriter } from '../byte-writer.ts';
import type { ProtobufCursor } from './cursor.ts';

export class MessageParts {
  /** Of their lengths. */
  readonly #starts: number[] = [];

  get isEmpty(): boolean {
    return this.#starts.length === 0;
  }

  clear(): void {
    this.#starts.length = 0;
  }

  /** Moves over the part at the cursor, which stands behind its tag. */
  add(cursor: ProtobufCursor): void {
    this.#starts.push(cursor.at);
    cursor.sized();
  }

  /** What `read` makes of all parts and `to`; the cursor stays where it is, unless `read` throws. */
  read<To, T>(cursor: ProtobufCursor, read: (cursor: ProtobufCursor, to: To) => T, to: To): T {
    const { at } = cursor;
    const isWhole = this.#starts.length === 1;
    if (isWhole) cursor.at = this.#starts[0]!;
    const value = read(isWhole ? cursor : this.#merged(cursor), to);
    cursor.at = at;
    return value;
  }

  #merged(cursor: ProtobufCursor): ProtobufCursor {
    const body = new ByteWriter();
    for (const start of this.#starts) {
      cursor.at = start;
      const from = cursor.sized();
      body.bytes(cursor.bytes.subarray(from, cursor.at));
    }
    const out = new ByteWriter();
    out.sized(body.written);
    return cursor.over(out.written);
  }
}
