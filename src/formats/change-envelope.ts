/**
 * Envelopes of changes as Debezium writes them: the row "before" and "after", what happened ("op") and when ("ts_ms"). A writer
 * of envelopes takes the bytes of rows as the encoder of the same format wrote them.
 */

import type { ByteWriter } from './byte-writer.ts';
import type { MessageEncoder } from './message-encoder.ts';

/** A row came, changed or went. */
export type ChangeOp = 'c' | 'u' | 'd';

export interface Change {
  readonly op: ChangeOp;
  /** null: there was no row. */
  readonly before: Uint8Array | null;
  /** null: there is none any more. */
  readonly after: Uint8Array | null;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
}

export interface EnvelopeWriter {
  append(change: Change, out: ByteWriter): void;
}

/** The names of an envelope's type and of the rows' in it, where the format has names; each with its namespace. */
export interface EnvelopeNames {
  readonly envelope: string;
  readonly row: string;
}

/** What writes the rows inside of envelopes, and the envelopes. */
export interface ChangeEncoder {
  readonly row: MessageEncoder;
  readonly envelope: EnvelopeWriter;
}

export class JsonEnvelopeWriter implements EnvelopeWriter {
  append({ op, before, after, timeMs }: Change, out: ByteWriter): void {
    out.ascii('{"before":');
    writeJson(before, out);
    out.ascii(',"after":');
    writeJson(after, out);
    out.ascii(`,"op":"${op}","ts_ms":${timeMs}}`);
  }
}

function writeJson(row: Uint8Array | null, out: ByteWriter): void {
  if (row === null) out.ascii('null');
  else out.bytes(row);
}
