/** Functions of the session and the catalog: what psql, drivers and BI tools call while they look around. */

import { SqlError } from '../../base/sql-error.ts';
import { ArrayValue } from '../../types/array.ts';
import type { Value } from '../../types/data-type.ts';
import { typeByOid, withTypmod } from '../../types/data-type.ts';
import type { FunctionSignature } from '../../types/function-signature.ts';
import { typeName } from '../../types/value.ts';
import { type CallContext, defineFunction, defineGeneral } from '../registry.ts';
import type { SystemEnvironment } from '../system-environment.ts';
import { otherTypeName } from './other-types.ts';
import { lookUp, splitName, systemOf } from './system-names.ts';
import './system-privileges.ts';

const STABLE = { volatility: 'stable', needsSession: true } as const;
const VOLATILE = { volatility: 'volatile', needsSession: true } as const;

/** A function without arguments that reads the environment. */
function fromSystem(name: string, type: string, read: (system: SystemEnvironment) => Value): void {
  defineGeneral(`${name}()`, type, (_, call) => read(systemOf(call)), STABLE);
}

fromSystem('version', 'text', (s) => s.versionText);
fromSystem('current_database', 'name', (s) => s.databaseName);
fromSystem('current_catalog', 'name', (s) => s.databaseName);
fromSystem('current_user', 'name', (s) => s.userName);
fromSystem('current_role', 'name', (s) => s.userName);
fromSystem('user', 'name', (s) => s.userName);
fromSystem('session_user', 'name', (s) => s.sessionUserName);
fromSystem('current_schema', 'name', (s) => s.searchPath(false)[0] ?? null);
fromSystem('pg_backend_pid', 'int4', (s) => s.backendPid);
fromSystem('pg_postmaster_start_time', 'timestamptz', (s) => s.serverStartedAtUs);
fromSystem('pg_conf_load_time', 'timestamptz', (s) => s.serverStartedAtUs);
fromSystem('txid_current', 'int8', (s) => s.transactionId);
fromSystem('txid_current_if_assigned', 'int8', () => null);
fromSystem('pg_is_in_recovery', 'bool', () => false);
fromSystem('pg_is_wal_replay_paused', 'bool', () => false);
fromSystem('pg_my_temp_schema', 'oid', () => 0n);
fromSystem('inet_server_port', 'int4', (s) => s.serverPort);
fromSystem('pg_trigger_depth', 'int4', () => 0);
fromSystem('pg_current_logfile', 'text', () => null);

defineFunction(
  'current_schemas(bool)',
  'name[]',
  (withImplicit, c) => ArrayValue.of([...systemOf(c).searchPath(withImplicit)]),
  STABLE,
);
defineFunction(
  'current_setting(text)',
  'text',
  (name, c) => {
    const value = systemOf(c).currentSetting(name);
    if (value === null)
      throw new SqlError('42704', `unrecognized configuration parameter "${name}"`);
    return value;
  },
  STABLE,
);
defineFunction(
  'current_setting(text,bool)',
  'text',
  (name, missingOk, c) => {
    const value = systemOf(c).currentSetting(name);
    if (value === null && !missingOk)
      throw new SqlError('42704', `unrecognized configuration parameter "${name}"`);
    return value;
  },
  STABLE,
);
defineFunction(
  'set_config(text,text,bool)',
  'text',
  (name, value, isLocal, c) => systemOf(c).setSetting(name, value, isLocal),
  VOLATILE,
);

defineGeneral(
  'format_type(oid,int4)',
  'text',
  ([oid, typmod]) => {
    if (oid === null || oid === undefined) return null;
    return formatType(oid as bigint, typmod === null ? null : (typmod as number));
  },
  { volatility: 'stable', isStrict: false, canFail: false },
);

function formatType(oid: bigint, typmod: number | null): string {
  if (oid === 0n) return '-';
  const type = typeByOid(Number(oid));
  if (type === undefined) return otherTypeName(Number(oid)) ?? '???';
  if (type.id === 'bpchar' && typmod === -1) return 'bpchar';
  if (typmod === null || typmod < 0) return typeName(type);
  if (type.element === null) return typeName(withTypmod(type, typmod));
  return `${typeName(withTypmod(type.element, typmod))}[]`;
}

/** A parameter as PostgreSQL shows it; defaults are left out. */
function parameterText({ mode, name, type }: FunctionSignature['parameters'][number]): string {
  const words = { i: '', o: 'OUT ', b: 'INOUT ', v: 'VARIADIC ', t: '' }[mode];
  return `${words}${name === '' ? '' : `${name} `}${formatType(BigInt(type), null)}`;
}

function argumentsText(signature: FunctionSignature, modes: string): string {
  const shown = signature.parameters.filter(({ mode }) => modes.includes(mode));
  return shown.map(parameterText).join(', ');
}

function resultText({ resultType, isSet, parameters }: FunctionSignature): string {
  const columns = parameters.filter(({ mode }) => mode === 't');
  if (columns.length > 0) return `TABLE(${columns.map(parameterText).join(', ')})`;
  return `${isSet ? 'SETOF ' : ''}${formatType(BigInt(resultType), null)}`;
}

const SIGNATURE_TEXTS: Readonly<Record<string, (signature: FunctionSignature) => string>> = {
  'pg_get_function_arguments(oid)': (signature) => argumentsText(signature, 'iobv'),
  'pg_get_function_identity_arguments(oid)': (signature) => argumentsText(signature, 'iobv'),
  'pg_get_function_result(oid)': resultText,
};
for (const [id, text] of Object.entries(SIGNATURE_TEXTS)) {
  defineGeneral(
    id,
    'text',
    ([oid], call) => {
      const signature = systemOf(call).functionSignature(Number(oid));
      return signature === null ? null : text(signature);
    },
    { ...STABLE, canFail: false },
  );
}

/** pg_get_expr: our catalog keeps expressions as SQL text. */
defineFunction('pg_get_expr(text,oid)', 'text', (text) => text, {
  volatility: 'stable',
  canFail: false,
});
defineFunction('pg_get_expr(text,oid,bool)', 'text', (text) => text, {
  volatility: 'stable',
  canFail: false,
});
defineFunction(
  'pg_get_userbyid(oid)',
  'name',
  (oid, c) => systemOf(c).roleName(Number(oid)) ?? `unknown (OID=${oid})`,
  STABLE,
);
defineFunction(
  'pg_get_indexdef(oid)',
  'text',
  (oid, c) => systemOf(c).indexDefinition(Number(oid), 0),
  STABLE,
);
defineFunction(
  'pg_get_indexdef(oid,int4,bool)',
  'text',
  (oid, column, _pretty, c) => systemOf(c).indexDefinition(Number(oid), column),
  STABLE,
);
defineFunction(
  'pg_get_constraintdef(oid)',
  'text',
  (oid, c) => systemOf(c).constraintDefinition(Number(oid)),
  STABLE,
);
defineFunction(
  'pg_get_constraintdef(oid,bool)',
  'text',
  (oid, _pretty, c) => systemOf(c).constraintDefinition(Number(oid)),
  STABLE,
);
defineFunction(
  'pg_get_viewdef(oid)',
  'text',
  (oid, c) => systemOf(c).viewDefinition(Number(oid)),
  STABLE,
);
defineFunction(
  'pg_get_viewdef(oid,bool)',
  'text',
  (oid, _pretty, c) => systemOf(c).viewDefinition(Number(oid)),
  STABLE,
);
defineFunction(
  'pg_get_viewdef(oid,int4)',
  'text',
  (oid, _width, c) => systemOf(c).viewDefinition(Number(oid)),
  STABLE,
);
defineFunction(
  'pg_get_viewdef(text)',
  'text',
  (name, c) => {
    const oid = systemOf(c).relationOid(splitName(name));
    if (oid === null) throw new SqlError('42P01', `relation "${name}" does not exist`);
    return systemOf(c).viewDefinition(oid);
  },
  STABLE,
);

/** Objects that we have none of: nothing to define. */
const WITHOUT_DEFINITION = [
  'pg_get_triggerdef(oid)',
  'pg_get_triggerdef(oid,bool)',
  'pg_get_ruledef(oid)',
  'pg_get_ruledef(oid,bool)',
  'pg_get_functiondef(oid)',
  'pg_get_function_sqlbody(oid)',
  'pg_get_partkeydef(oid)',
  'pg_get_statisticsobjdef(oid)',
  'pg_get_statisticsobjdef_columns(oid)',
  'pg_get_serial_sequence(text,text)',
  'pg_get_partition_constraintdef(oid)',
  'pg_get_function_arg_default(oid,int4)',
  'pg_tablespace_location(oid)',
  'pg_get_replica_identity_index(regclass)',
  'pg_describe_object(oid,oid,int4)',
] as const;
for (const id of WITHOUT_DEFINITION)
  defineGeneral(id, 'text', () => null, { volatility: 'stable', canFail: false });

defineFunction(
  'obj_description(oid)',
  'text',
  (oid, c) => systemOf(c).objectDescription(Number(oid), null),
  STABLE,
);
defineFunction(
  'obj_description(oid,name)',
  'text',
  (oid, catalog, c) => systemOf(c).objectDescription(Number(oid), catalog),
  STABLE,
);
defineFunction(
  'shobj_description(oid,name)',
  'text',
  (oid, catalog, c) => systemOf(c).objectDescription(Number(oid), catalog),
  STABLE,
);
defineFunction(
  'col_description(oid,int4)',
  'text',
  (oid, column, c) => systemOf(c).columnDescription(Number(oid), column),
  STABLE,
);

defineFunction(
  'pg_table_is_visible(oid)',
  'bool',
  (oid, c) => systemOf(c).relationName(Number(oid))?.isVisible ?? null,
  STABLE,
);
for (const kind of [
  'type',
  'function',
  'operator',
  'opclass',
  'opfamily',
  'collation',
  'conversion',
  'statistics_obj',
  'ts_config',
  'ts_dict',
  'ts_parser',
  'ts_template',
]) {
  defineGeneral(`pg_${kind}_is_visible(oid)`, 'bool', () => true, {
    volatility: 'stable',
    canFail: false,
  });
}

for (const type of ['regclass', 'regtype', 'regproc', 'regnamespace', 'regrole'] as const) {
  defineGeneral(
    `to_${type}(text)`,
    type,
    ([name], call) => toReg(type, name as string, call),
    STABLE,
  );
}

function toReg(type: string, name: string, call: CallContext): Value {
  const oid = lookUp(type, name, call);
  return oid === null ? null : BigInt(oid);
}

defineFunction(
  'pg_encoding_to_char(int4)',
  'name',
  (n) => (n === 6 ? 'UTF8' : n === 0 ? 'SQL_ASCII' : ''),
  { canFail: false },
);
defineFunction('pg_char_to_encoding(name)', 'int4', (name) => (/^utf-?8$/i.test(name) ? 6 : -1), {
  canFail: false,
});
defineFunction('getdatabaseencoding()', 'name', () => 'UTF8', {
  volatility: 'stable',
  canFail: false,
});
defineFunction('pg_client_encoding()', 'name', () => 'UTF8', {
  volatility: 'stable',
  canFail: false,
});

for (const name of ['pg_relation_size', 'pg_table_size', 'pg_total_relation_size'] as const) {
  defineFunction(
    `${name}(regclass)`,
    'int8',
    (oid, c) => systemOf(c).relationSize(Number(oid)),
    STABLE,
  );
}
defineFunction('pg_indexes_size(regclass)', 'int8', () => 0n, STABLE);
defineFunction('pg_database_size(name)', 'int8', (_, c) => systemOf(c).databaseSize(), STABLE);
defineFunction('pg_database_size(oid)', 'int8', (_, c) => systemOf(c).databaseSize(), STABLE);
defineFunction('pg_tablespace_size(oid)', 'int8', (_, c) => systemOf(c).databaseSize(), STABLE);
defineFunction('pg_tablespace_size(name)', 'int8', (_, c) => systemOf(c).databaseSize(), STABLE);

const SIZE_UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** pg_size_pretty: each unit up to 10240 of it, rounded half up in steps as PostgreSQL does. */
function prettySize(size: bigint): string {
  const magnitude = (v: bigint): bigint => (v < 0n ? -v : v);
  if (magnitude(size) < 10240n) return `${size} bytes`;
  let value = size >> 9n;
  let unit = 1;
  while (magnitude(value) >= 20479n && unit < SIZE_UNITS.length - 1) {
    value /= 1024n;
    unit += 1;
  }
  return `${value < 0n ? (value - 1n) / 2n : (value + 1n) / 2n} ${SIZE_UNITS[unit]}`;
}

defineFunction('pg_size_pretty(int8)', 'text', prettySize, { canFail: false });
defineFunction('pg_size_pretty(numeric)', 'text', (size) => {
  if (!size.isFinite) return `${size.toString()} bytes`;
  const whole = size.trunc(0).toInt8();
  return whole > -10240n && whole < 10240n ? `${size.toString()} bytes` : prettySize(whole);
});

defineFunction('pg_relation_is_publishable(regclass)', 'bool', () => false, STABLE);
defineFunction('age(xid)', 'int4', () => 0, { volatility: 'stable', canFail: false });
defineFunction(
  'pg_cancel_backend(int4)',
  'bool',
  (pid, c) => systemOf(c).signalBackend(pid, 'cancel'),
  VOLATILE,
);
defineFunction(
  'pg_terminate_backend(int4)',
  'bool',
  (pid, c) => systemOf(c).signalBackend(pid, 'terminate'),
  VOLATILE,
);
defineGeneral('pg_typeof(any)', 'regtype', (_, call) => BigInt(call.argTypes[0]?.oid ?? 705), {
  volatility: 'stable',
  isStrict: false,
  canFail: false,
});
defineGeneral('acldefault(char,oid)', 'text[]', () => null, {
  volatility: 'stable',
  canFail: false,
});
