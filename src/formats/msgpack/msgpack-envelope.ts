/** Envelopes of changes as MessagePack maps, as JSON has them: "before", "after", "op" and "ts_ms". */

import type { ByteWriter } from '../byte-writer.ts';
import type { Change, EnvelopeWriter } from '../change-envelope.ts';
import { NIL, textBytes, writeInteger, writeMapHead } from './msgpack-encoder.ts';

const [BEFORE, AFTER, OP, TIME] = ['before', 'after', 'op', 'ts_ms'].map(textBytes) as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
];

export class MessagePackEnvelopeWriter implements EnvelopeWriter {
  append({ op, before, after, timeMs }: Change, out: ByteWriter): void {
    writeMapHead(4, out);
    writeRow(BEFORE, before, out);
    writeRow(AFTER, after, out);
    out.bytes(OP);
    out.bytes(textBytes(op));
    out.bytes(TIME);
    writeInteger(timeMs, out);
  }
}

function writeRow(key: Uint8Array, row: Uint8Array | null, out: ByteWriter): void {
  out.bytes(key);
  if (row === null) out.u8(NIL);
  else out.bytes(row);
}
