/** Names of objects to OIDs: what 'x'::regclass and its kin do. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { Value } from '../../types/data-type.ts';
import { typeByOid } from '../../types/data-type.ts';
import { parseTypeName, typeName } from '../../types/value.ts';
import type { CallContext } from '../registry.ts';
import type { SystemEnvironment } from '../system-environment.ts';
import { quoteIdentifier } from './encoding.ts';

export function systemOf(call: CallContext): SystemEnvironment {
  return must(call.system, 'a system function outside a session');
}

/** `a."B".c` into its folded parts; 42602 where it is no name. */
export function splitName(text: string): readonly string[] {
  const parts: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")+)"|([^\s."]+))\s*(\.|$)/y;
  for (;;) {
    const match = pattern.exec(text);
    if (match === null) throw new SqlError('42602', 'invalid name syntax');
    parts.push(
      match[1] === undefined ? (match[2] as string).toLowerCase() : match[1].replaceAll('""', '"'),
    );
    if (match[3] === '') return parts;
  }
}

/** The OID for a text in a reg* type: a number, `-` for none, or a name. */
export function resolveObjectName(type: string, text: string, call: CallContext): Value {
  if (/^[0-9]+$/.test(text)) return BigInt(text);
  if (text === '-') return 0n;
  const oid = lookUp(type, text, call);
  if (oid === null) throw undefinedObject(type, text);
  return BigInt(oid);
}

/** As resolveObjectName, for to_regclass() and its kin: null where there is no such object. */
export function lookUp(type: string, text: string, call: CallContext): number | null {
  switch (type) {
    case 'regclass':
      return systemOf(call).relationOid(splitName(text));
    case 'regnamespace':
      return systemOf(call).schemaOid(splitName(text)[0] as string);
    case 'regrole':
      return systemOf(call).roleOid(splitName(text)[0] as string);
    case 'regtype':
      return typeOid(text);
    default:
      return systemOf(call).functionOid(splitName(text));
  }
}

/** A reg* value as PostgreSQL prints it: a name, schema-qualified where it is not visible; the number where there is none. */
export function objectName(type: string, oid: bigint, call: CallContext): string {
  if (type === 'regtype') return regtypeText(oid);
  return regText(type, oid, systemOf(call));
}

export function regText(type: string, oid: bigint, system: SystemEnvironment): string {
  if (oid === 0n) return '-';
  const number = Number(oid);
  const name = nameOfObject(type, number, system);
  return name ?? String(oid);
}

function nameOfObject(type: string, oid: number, system: SystemEnvironment): string | null {
  switch (type) {
    case 'regclass': {
      const found = system.relationName(oid);
      if (found === null) return null;
      const name = quoteIdentifier(found.name);
      return found.isVisible ? name : `${quoteIdentifier(found.schema)}.${name}`;
    }
    case 'regtype':
      return regtypeText(BigInt(oid));
    case 'regnamespace':
      return quoted(system.schemaName(oid));
    case 'regrole':
      return quoted(system.roleName(oid));
    default:
      return quoted(system.functionName(oid));
  }
}

function regtypeText(oid: bigint): string {
  if (oid === 0n) return '-';
  const known = typeByOid(Number(oid));
  return known === undefined ? String(oid) : typeName(known);
}

function quoted(name: string | null): string | null {
  return name === null ? null : quoteIdentifier(name);
}

function typeOid(text: string): number | null {
  try {
    return parseTypeName(text).oid;
  } catch (error) {
    if (error instanceof SqlError) return null;
    throw error;
  }
}

function undefinedObject(type: string, text: string): SqlError {
  switch (type) {
    case 'regclass':
      return new SqlError('42P01', `relation "${splitName(text).join('.')}" does not exist`);
    case 'regnamespace':
      return new SqlError('3F000', `schema "${splitName(text)[0]}" does not exist`);
    case 'regrole':
      return new SqlError('42704', `role "${splitName(text)[0]}" does not exist`);
    case 'regtype':
      return new SqlError('42704', `type "${text}" does not exist`);
    case 'regoper':
      return new SqlError('42883', `operator does not exist: ${text}`);
    default:
      return new SqlError('42883', `function "${text}" does not exist`);
  }
}
