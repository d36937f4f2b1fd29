/** Envelopes of changes as Protobuf messages (protobufEnvelopeSchemaOf): rows of one type, before and after. */

import type { ByteWriter } from '../byte-writer.ts';
import type { Change, EnvelopeWriter } from '../change-envelope.ts';
import { SIZED, VARINT } from './cursor.ts';
import { AFTER, BEFORE, OP, TIME, tagOf, writeHead } from './protobuf-encoder.ts';

export class ProtobufEnvelopeWriter implements EnvelopeWriter {
  readonly #schemaId: number;

  constructor(schemaId: number) {
    this.#schemaId = schemaId;
  }

  append({ op, before, after, timeMs }: Change, out: ByteWriter): void {
    writeHead(this.#schemaId, out);
    writeRow(BEFORE, before, out);
    writeRow(AFTER, after, out);
    out.u8(tagOf(OP, SIZED));
    out.u8(op.length);
    out.ascii(op);
    out.u8(tagOf(TIME, VARINT));
    out.varintOf(BigInt(timeMs));
  }
}

function writeRow(field: number, row: Uint8Array | null, out: ByteWriter): void {
  if (row === null) return;
  out.u8(tagOf(field, SIZED));
  out.sized(row);
}
