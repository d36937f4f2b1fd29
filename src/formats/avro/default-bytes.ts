/** A field's default, which a schema gives as JSON, in Avro's binary encoding: it is then read like any value. */

import { SqlError } from '../../base/sql-error.ts';
import type { AvroSchema } from './schema.ts';

/** 22023 where the JSON is no value of the schema. */
export function defaultBytes(schema: AvroSchema, json: unknown): Buffer {
  const parts: Buffer[] = [];
  write(schema, json, parts);
  return Buffer.concat(parts);
}

function write(schema: AvroSchema, json: unknown, to: Buffer[]): void {
  switch (schema.kind) {
    case 'null':
      if (json !== null) throw invalid(json);
      return;
    case 'boolean':
      if (typeof json !== 'boolean') throw invalid(json);
      to.push(Buffer.from([json ? 1 : 0]));
      return;
    case 'int':
    case 'long':
      if (!Number.isInteger(json)) throw invalid(json);
      to.push(varint(BigInt(json as number)));
      return;
    case 'float':
    case 'double':
      to.push(floatBytes(schema.kind, json));
      return;
    case 'string':
    case 'bytes':
      writeSized(textOf(json), schema.kind === 'string' ? 'utf8' : 'latin1', to);
      return;
    case 'fixed':
      to.push(Buffer.from(textOf(json), 'latin1'));
      return;
    case 'enum': {
      const index = schema.symbols.indexOf(textOf(json));
      if (index < 0) throw invalid(json);
      to.push(varint(BigInt(index)));
      return;
    }
    case 'union':
      writeBranch(schema.branches, json, to);
      return;
    default:
      writeNested(schema, json, to);
  }
}

/** The first branch that takes it; of a schema that keeps to the specification it is the first of all. */
function writeBranch(branches: readonly AvroSchema[], json: unknown, to: Buffer[]): void {
  for (const [i, branch] of branches.entries()) {
    const parts: Buffer[] = [];
    try {
      write(branch, json, parts);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      continue;
    }
    to.push(varint(BigInt(i)), ...parts);
    return;
  }
  throw invalid(json);
}

function writeNested(
  schema: AvroSchema & { readonly kind: 'record' | 'array' | 'map' },
  json: unknown,
  to: Buffer[],
): void {
  if (schema.kind === 'array') {
    if (!Array.isArray(json)) throw invalid(json);
    if (json.length > 0) to.push(varint(BigInt(json.length)));
    for (const item of json) write(schema.items, item, to);
    to.push(varint(0n));
    return;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid(json);
  const object = json as Readonly<Record<string, unknown>>;
  if (schema.kind === 'record') {
    for (const field of schema.fields) {
      const value = Object.hasOwn(object, field.name) ? object[field.name] : field.default;
      write(field.type, value, to);
    }
    return;
  }
  const entries = Object.entries(object);
  if (entries.length > 0) to.push(varint(BigInt(entries.length)));
  for (const [key, value] of entries) {
    writeSized(key, 'utf8', to);
    write(schema.values, value, to);
  }
  to.push(varint(0n));
}

function writeSized(text: string, encoding: 'utf8' | 'latin1', to: Buffer[]): void {
  const bytes = Buffer.from(text, encoding);
  to.push(varint(BigInt(bytes.length)), bytes);
}

function floatBytes(kind: 'float' | 'double', json: unknown): Buffer {
  if (typeof json !== 'number') throw invalid(json);
  const bytes = Buffer.alloc(kind === 'float' ? 4 : 8);
  if (kind === 'float') bytes.writeFloatLE(json);
  else bytes.writeDoubleLE(json);
  return bytes;
}

function textOf(json: unknown): string {
  if (typeof json !== 'string') throw invalid(json);
  return json;
}

/** Zigzag, seven bits a byte. */
function varint(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function invalid(json: unknown): SqlError {
  return new SqlError('22023', `invalid Avro schema: default ${JSON.stringify(json)} does not fit`);
}
