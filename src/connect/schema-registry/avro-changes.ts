/** ENCODE AVRO of records that change rows: keys of FORMAT UPSERT, change events of FORMAT DEBEZIUM. */

import { AvroDecoder, avroColumns } from '../../formats/avro/avro-decoder.ts';
import {
  checkDebeziumColumns,
  debeziumRow,
  openDebeziumAvro,
} from '../../formats/avro/debezium-avro.ts';
import type { ChangeDecoder } from '../../formats/change-decoder.ts';
import type { DecodedColumn } from '../../formats/csv.ts';
import type { MessageDecoder, WriterSchema } from '../../formats/message-decoder.ts';
import type { ValueSettings } from '../../types/settings.ts';
import { avroSchema, type SchemaSourceEncoding } from './source-schema.ts';

/** FORMAT UPSERT: a key's columns from a record by name, or the only one from a single value. Keys carry ids of the registry's. */
export function openAvroKey(
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): MessageDecoder {
  const decoder = new AvroDecoder(
    columns,
    { schema: null, isFramed: true, message: null },
    settings,
  );
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
  const type: unknown = JSON.parse(schema.text);
  const kind = typeof type === 'object' && type !== null && 'type' in type ? type.type : type;
  if (kind === 'record') return schema;
  const record = { type: 'record', name: 'Key', fields: [{ name: field, type }] };
  return { ...schema, text: JSON.stringify(record) };
}

/** FORMAT DEBEZIUM. */
export function openAvroChanges(
  { schema, registry }: SchemaSourceEncoding,
  columns: readonly DecodedColumn[],
  key: readonly number[],
  settings: ValueSettings,
): ChangeDecoder {
  const bare = registry === null && schema !== null ? avroSchema(schema) : null;
  return openDebeziumAvro(columns, key, bare, settings);
}

/** FORMAT DEBEZIUM: the columns where `schema` is known. */
export function checkDebeziumAvro(
  schema: WriterSchema,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): void {
  checkDebeziumColumns(avroSchema(schema), columns, settings);
}

/** FORMAT DEBEZIUM: the columns of a source without a list. */
export function debeziumAvroColumns(schema: WriterSchema): DecodedColumn[] {
  return avroColumns(debeziumRow(avroSchema(schema)), null);
}
