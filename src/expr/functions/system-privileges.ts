/** has_*_privilege and pg_has_role: there is one role, and it may do everything with what exists. */

import { SqlError } from '../../base/sql-error.ts';
import type { Value } from '../../types/data-type.ts';
import { type CallContext, defineGeneral } from '../registry.ts';
import { splitName, systemOf } from './system-names.ts';

const KNOWN: Readonly<Record<string, string>> = {
  table: 'select|insert|update|delete|truncate|references|trigger',
  column: 'select|insert|update|references',
  any_column: 'select|insert|update|references',
  schema: 'create|usage',
  database: 'create|connect|temporary|temp',
  function: 'execute',
  language: 'usage',
  sequence: 'usage|select|update',
  tablespace: 'create',
  type: 'usage',
  foreign_data_wrapper: 'usage',
  server: 'usage',
};

function checkPrivileges(kind: string, text: string): void {
  const known = new Set((KNOWN[kind] ?? '').split('|'));
  for (const part of text.split(',')) {
    const name = part
      .trim()
      .toLowerCase()
      .replace(/ with grant option$/, '');
    if (!known.has(name))
      throw new SqlError('22023', `unrecognized privilege type: "${part.trim()}"`);
  }
}

function objectExists(kind: string, object: Value, call: CallContext): boolean {
  const system = systemOf(call);
  if (kind.includes('column') || kind === 'table' || kind === 'sequence')
    return relationExists(object, call);
  if (kind !== 'schema') return true;
  if (typeof object === 'bigint') return system.schemaName(Number(object)) !== null;
  if (system.schemaOid(object as string) !== null) return true;
  throw new SqlError('3F000', `schema "${object as string}" does not exist`);
}

function relationExists(object: Value, call: CallContext): boolean {
  const system = systemOf(call);
  if (typeof object === 'bigint') return system.relationName(Number(object)) !== null;
  if (system.relationOid(splitName(object as string)) !== null) return true;
  throw new SqlError('42P01', `relation "${object as string}" does not exist`);
}

/** The object stands before the column (where there is one) and the privilege. */
function hasPrivilege(
  kind: string,
  objectIndex: number,
): (args: readonly Value[], call: CallContext) => Value {
  return (args, call) => {
    checkPrivileges(kind, args.at(-1) as string);
    return objectExists(kind, args[objectIndex] ?? null, call) ? true : null;
  };
}

const STABLE = { volatility: 'stable', needsSession: true } as const;

for (const kind of Object.keys(KNOWN)) {
  const name = `has_${kind}_privilege`;
  const columns = kind === 'column' ? ['text,', 'int2,'] : [''];
  for (const object of ['text', 'oid']) {
    for (const column of columns) {
      defineGeneral(`${name}(${object},${column}text)`, 'bool', hasPrivilege(kind, 0), STABLE);
      for (const role of ['name', 'oid']) {
        defineGeneral(
          `${name}(${role},${object},${column}text)`,
          'bool',
          hasPrivilege(kind, 1),
          STABLE,
        );
      }
    }
  }
}

for (const args of [
  'name,text',
  'oid,text',
  'name,name,text',
  'name,oid,text',
  'oid,name,text',
  'oid,oid,text',
]) {
  defineGeneral(`pg_has_role(${args})`, 'bool', () => true, STABLE);
}
