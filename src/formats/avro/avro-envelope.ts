/** Envelopes of changes as Avro, as Debezium describes them: rows of one named record, before and after. */

import type { DataType } from '../../types/data-type.ts';
import type { ByteWriter } from '../byte-writer.ts';
import type { Change, EnvelopeNames, EnvelopeWriter } from '../change-envelope.ts';
import { writeFrame } from '../schema-frame.ts';
import { avroRecordOf, NULL_BRANCH, VALUE_BRANCH, writeBigInt, writeText } from './avro-encoder.ts';

/** The schema's JSON. 42602 where a column's name cannot be a field's. */
export function avroEnvelopeSchemaOf(
  columns: readonly { readonly name: string; readonly type: DataType }[],
  { envelope, row }: EnvelopeNames,
): string {
  const fields = [
    { name: 'before', type: ['null', avroRecordOf(columns, row)], default: null },
    { name: 'after', type: ['null', row], default: null },
    { name: 'op', type: 'string' },
    { name: 'ts_ms', type: ['null', 'long'], default: null },
  ];
  return JSON.stringify({ type: 'record', name: envelope, fields });
}

export class AvroEnvelopeWriter implements EnvelopeWriter {
  readonly #schemaId: number;

  constructor(schemaId: number) {
    this.#schemaId = schemaId;
  }

  append({ op, before, after, timeMs }: Change, out: ByteWriter): void {
    writeFrame(this.#schemaId, out);
    writeRow(before, out);
    writeRow(after, out);
    writeText(op, out);
    out.u8(VALUE_BRANCH);
    writeBigInt(BigInt(timeMs), out);
  }
}

function writeRow(row: Uint8Array | null, out: ByteWriter): void {
  out.u8(row === null ? NULL_BRANCH : VALUE_BRANCH);
  if (row !== null) out.bytes(row);
}
