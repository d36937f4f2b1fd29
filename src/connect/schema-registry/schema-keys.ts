/** ENCODE AVRO and PROTOBUF of FORMAT UPSERT: decoders of the records' keys. */

import { AvroDecoder } from '../../formats/avro/avro-decoder.ts';
import type { DecodedColumn } from '../../formats/csv.ts';
import type { MessageDecoder, WriterSchema } from '../../formats/message-decoder.ts';
import { ProtobufDecoder } from '../../formats/protobuf/protobuf-decoder.ts';
import type { ValueSettings } from '../../types/settings.ts';
import type { SchemaKind } from './source-schema.ts';

const FRAMED = { schema: null, isFramed: true, message: null } as const;

/** Keys carry ids of the registry's schemas. */
export function openSchemaKey(
  kind: SchemaKind,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): MessageDecoder {
  return kind === 'avro'
    ? openAvroKey(columns, settings)
    : new ProtobufDecoder(columns, FRAMED, settings);
}

/** A key's columns from a record by name, or the only one from a single value. */
function openAvroKey(columns: readonly DecodedColumn[], settings: ValueSettings): MessageDecoder {
  const decoder = new AvroDecoder(columns, FRAMED, settings);
  const [only, ...others] = columns;
  return {
    append: (bytes, start, end, builders) => decoder.append(bytes, start, end, builders),
    get errorOffset() {
      return decoder.errorOffset;
    },
    learnSchema: (id, schema) => {
      const isSingle = only !== undefined && others.length === 0;
      decoder.learnSchema(id, isSingle ? asRecord(schema, only.name) : schema);
    },
  };
}

/** A schema of a single value as that of a record whose only field it is. */
function asRecord(schema: WriterSchema, field: string): WriterSchema {
  const { text } = schema;
  // The name of a type alone is a schema too.
  const type: unknown = /^[\w.]+$/.test(text) ? text : parsed(text);
  if (type === undefined) return schema;
  const kind = typeof type === 'object' && type !== null && 'type' in type ? type.type : type;
  if (kind === 'record') return schema;
  const record = { type: 'record', name: 'Key', fields: [{ name: field, type }] };
  return { ...schema, text: JSON.stringify(record) };
}

/** undefined: it is no JSON, which the decoder refuses. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
