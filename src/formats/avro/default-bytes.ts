/** A field's default, which a schema gives as JSON, in Avro's binary encoding: it is then read like any value. */

import { SqlError } from '../../base/sql-error.ts';
import { ByteWriter } from '../byte-writer.ts';
import type { AvroSchema } from './schema.ts';

/** 22023 where the JSON is no value of the schema. */
export function defaultBytes(schema: AvroSchema, json: unknown): Buffer {
  const out = new ByteWriter();
  write(schema, json, out);
  return Buffer.from(out.written);
}

function write(schema: AvroSchema, json: unknown, out: ByteWriter): void {
  switch (schema.kind) {
    case 'null':
      if (json !== null) throw invalid(json);
      return;
    case 'boolean':
      if (typeof json !== 'boolean') throw invalid(json);
      out.u8(json ? 1 : 0);
      return;
    case 'int':
    case 'long':
      if (!Number.isInteger(json)) throw invalid(json);
      writeInteger(BigInt(json as number), out);
      return;
    case 'float':
    case 'double':
      if (typeof json !== 'number') throw invalid(json);
      if (schema.kind === 'float') out.floatLE(json);
      else out.doubleLE(json);
      return;
    case 'string':
    case 'bytes':
      writeSized(textOf(json), schema.kind === 'string' ? 'utf8' : 'latin1', out);
      return;
    case 'fixed':
      out.bytes(Buffer.from(textOf(json), 'latin1'));
      return;
    case 'enum': {
      const index = schema.symbols.indexOf(textOf(json));
      if (index < 0) throw invalid(json);
      writeInteger(BigInt(index), out);
      return;
    }
    case 'union':
      writeBranch(schema.branches, json, out);
      return;
    default:
      writeNested(schema, json, out);
  }
}

/** The first branch that takes it; of a schema that keeps to the specification it is the first of all. */
function writeBranch(branches: readonly AvroSchema[], json: unknown, out: ByteWriter): void {
  const start = out.length;
  for (const [i, branch] of branches.entries()) {
    try {
      writeInteger(BigInt(i), out);
      write(branch, json, out);
      return;
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      out.truncate(start);
    }
  }
  throw invalid(json);
}

function writeNested(
  schema: AvroSchema & { readonly kind: 'record' | 'array' | 'map' },
  json: unknown,
  out: ByteWriter,
): void {
  if (schema.kind === 'array') {
    if (!Array.isArray(json)) throw invalid(json);
    if (json.length > 0) writeInteger(BigInt(json.length), out);
    for (const item of json) write(schema.items, item, out);
    out.u8(0);
    return;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid(json);
  const object = json as Readonly<Record<string, unknown>>;
  if (schema.kind === 'record') {
    for (const field of schema.fields) {
      const value = Object.hasOwn(object, field.name) ? object[field.name] : field.default;
      write(field.type, value, out);
    }
    return;
  }
  const entries = Object.entries(object);
  if (entries.length > 0) writeInteger(BigInt(entries.length), out);
  for (const [key, value] of entries) {
    writeSized(key, 'utf8', out);
    write(schema.values, value, out);
  }
  out.u8(0);
}

function writeSized(text: string, encoding: 'utf8' | 'latin1', out: ByteWriter): void {
  const bytes = Buffer.from(text, encoding);
  writeInteger(BigInt(bytes.length), out);
  out.bytes(bytes);
}

function textOf(json: unknown): string {
  if (typeof json !== 'string') throw invalid(json);
  return json;
}

/** Zigzag, seven bits a byte. */
function writeInteger(value: bigint, out: ByteWriter): void {
  out.varintOf(BigInt.asIntN(64, (value << 1n) ^ (value >> 63n)));
}

function invalid(json: unknown): SqlError {
  return new SqlError('22023', `invalid Avro schema: default ${JSON.stringify(json)} does not fit`);
}
