/**
 * The settings that a session has (PostgreSQL's GUCs): names, defaults, checks, and which are told to the client by
 * ParameterStatus. What is only accepted so that clients' start-up goes through says so.
 */

import {
  normalizeDateStyle,
  normalizeEncoding,
  normalizeTimeZone,
  type SettingKind,
  type SettingRules,
} from './setting-values.ts';

export const SERVER_VERSION = '15.18';
export const SERVER_VERSION_NUM = '150018';

export interface SettingDefinition extends SettingRules {
  readonly initial: string;
  readonly isReported?: boolean;
  readonly isReadOnly?: boolean;
  readonly description: string;
}

const STRING: SettingKind = { kind: 'string' };
const BOOLEAN: SettingKind = { kind: 'bool' };
const DURATION: SettingKind = { kind: 'duration' };
const int = (min: number, max: number): SettingKind => ({ kind: 'int', min, max });
const oneOf = (...values: string[]): SettingKind => ({ kind: 'enum', values });

const ISOLATION = oneOf('serializable', 'repeatable read', 'read committed', 'read uncommitted');

/** Every setting; the order is that of SHOW ALL. */
export const SETTINGS: readonly SettingDefinition[] = [
  {
    name: 'allow_stale_reads',
    type: BOOLEAN,
    initial: 'off',
    description: 'Lets a stopped view be read as it last was.',
  },
  {
    name: 'application_name',
    type: STRING,
    initial: '',
    isReported: true,
    description: 'Name of the client application.',
  },
  {
    name: 'backslash_quote',
    type: STRING,
    initial: 'safe_encoding',
    description: 'Accepted for compatibility.',
  },
  {
    name: 'bytea_output',
    type: oneOf('hex', 'escape'),
    initial: 'hex',
    description: 'Output format of bytea.',
  },
  {
    name: 'check_function_bodies',
    type: BOOLEAN,
    initial: 'on',
    description: 'Accepted for compatibility.',
  },
  {
    name: 'client_encoding',
    type: STRING,
    initial: 'UTF8',
    isReported: true,
    normalize: normalizeEncoding,
    description: 'Encoding of the client; always UTF8.',
  },
  {
    name: 'client_min_messages',
    type: oneOf(
      'debug5',
      'debug4',
      'debug3',
      'debug2',
      'debug1',
      'log',
      'notice',
      'warning',
      'error',
    ),
    initial: 'notice',
    description: 'Lowest level of message sent to the client.',
  },
  {
    name: 'DateStyle',
    type: STRING,
    initial: 'ISO, MDY',
    isReported: true,
    normalize: normalizeDateStyle,
    description: 'Output and input format of dates.',
  },
  {
    name: 'dead_letter_age',
    type: DURATION,
    initial: '604800000',
    isReadOnly: true,
    description: 'How long dead letters are kept (--dead-letter-age).',
  },
  {
    name: 'dead_letter_record_size',
    type: STRING,
    initial: '64KB',
    isReadOnly: true,
    description: 'How much of a rejected record is kept (--dead-letter-record-size).',
  },
  {
    name: 'dead_letter_size',
    type: STRING,
    initial: '64MB',
    isReadOnly: true,
    description: 'How much of dead letters is kept (--dead-letter-size).',
  },
  {
    name: 'default_tablespace',
    type: STRING,
    initial: '',
    description: 'Accepted for compatibility.',
  },
  {
    name: 'default_table_access_method',
    type: STRING,
    initial: 'heap',
    description: 'Accepted for compatibility.',
  },
  {
    name: 'default_transaction_isolation',
    type: ISOLATION,
    initial: 'read committed',
    description: 'Isolation level of new transactions.',
  },
  {
    name: 'default_transaction_read_only',
    type: BOOLEAN,
    initial: 'off',
    isReported: true,
    description: 'Whether new transactions are read only.',
  },
  {
    name: 'default_transaction_deferrable',
    type: BOOLEAN,
    initial: 'off',
    description: 'Accepted for compatibility.',
  },
  {
    name: 'enable_seqscan',
    type: BOOLEAN,
    initial: 'on',
    description: 'Accepted for compatibility.',
  },
  {
    name: 'extra_float_digits',
    type: int(-15, 3),
    initial: '1',
    description: 'Digits of floating-point output.',
  },
  {
    name: 'idle_in_transaction_session_timeout',
    type: DURATION,
    initial: '0',
    description: 'Longest idle time inside a transaction.',
  },
  {
    name: 'idle_session_timeout',
    type: DURATION,
    initial: '0',
    description: 'Longest idle time outside a transaction.',
  },
  {
    name: 'in_hot_standby',
    type: BOOLEAN,
    initial: 'off',
    isReported: true,
    isReadOnly: true,
    description: 'Whether the server is a standby.',
  },
  {
    name: 'integer_datetimes',
    type: BOOLEAN,
    initial: 'on',
    isReported: true,
    isReadOnly: true,
    description: 'Datetimes are integers.',
  },
  {
    name: 'IntervalStyle',
    type: oneOf('postgres', 'postgres_verbose', 'sql_standard', 'iso_8601'),
    initial: 'postgres',
    isReported: true,
    description: 'Output format of intervals.',
  },
  {
    name: 'is_superuser',
    type: BOOLEAN,
    initial: 'on',
    isReported: true,
    isReadOnly: true,
    description: 'Whether the user is a superuser.',
  },
  { name: 'jit', type: BOOLEAN, initial: 'off', description: 'Accepted for compatibility.' },
  {
    name: 'lc_collate',
    type: STRING,
    initial: 'C',
    isReadOnly: true,
    description: 'Collation order.',
  },
  {
    name: 'lc_ctype',
    type: STRING,
    initial: 'C',
    isReadOnly: true,
    description: 'Character classes.',
  },
  { name: 'lc_messages', type: STRING, initial: 'C', description: 'Language of messages.' },
  { name: 'lc_monetary', type: STRING, initial: 'C', description: 'Accepted for compatibility.' },
  { name: 'lc_numeric', type: STRING, initial: 'C', description: 'Accepted for compatibility.' },
  { name: 'lc_time', type: STRING, initial: 'C', description: 'Accepted for compatibility.' },
  { name: 'lock_timeout', type: DURATION, initial: '0', description: 'Longest wait for a lock.' },
  {
    name: 'max_identifier_length',
    type: int(1, 63),
    initial: '63',
    isReadOnly: true,
    description: 'Longest identifier.',
  },
  {
    name: 'max_index_keys',
    type: int(1, 32),
    initial: '32',
    isReadOnly: true,
    description: 'Most columns of an index.',
  },
  {
    name: 'optimizer',
    type: BOOLEAN,
    initial: 'on',
    description: 'Whether optional rewrites run (off for tests).',
  },
  {
    name: 'row_security',
    type: BOOLEAN,
    initial: 'on',
    description: 'Accepted for compatibility.',
  },
  {
    name: 'password_encryption',
    type: STRING,
    initial: 'scram-sha-256',
    isReadOnly: true,
    description: 'How passwords are kept: a server has one, from --password-file.',
  },
  {
    name: 'search_path',
    type: STRING,
    initial: '"$user", public',
    description: 'Schemas searched for unqualified names.',
  },
  {
    name: 'server_encoding',
    type: STRING,
    initial: 'UTF8',
    isReported: true,
    isReadOnly: true,
    description: 'Encoding of the server.',
  },
  {
    name: 'server_version',
    type: STRING,
    initial: SERVER_VERSION,
    isReported: true,
    isReadOnly: true,
    description: 'PostgreSQL version whose behaviour is followed.',
  },
  {
    name: 'server_version_num',
    type: int(150000, 159999),
    initial: SERVER_VERSION_NUM,
    isReadOnly: true,
    description: 'The same as a number.',
  },
  {
    name: 'session_authorization',
    type: STRING,
    initial: 'millrace',
    isReported: true,
    isReadOnly: true,
    description: 'The session user.',
  },
  {
    name: 'session_replication_role',
    type: oneOf('origin', 'replica', 'local'),
    initial: 'origin',
    description: 'Accepted for compatibility.',
  },
  {
    name: 'ssl',
    type: BOOLEAN,
    initial: 'off',
    isReadOnly: true,
    description: 'Whether TLS is on.',
  },
  {
    name: 'standard_conforming_strings',
    type: oneOf('on'),
    initial: 'on',
    isReported: true,
    description: 'Backslashes in strings are literal; always on.',
  },
  {
    name: 'statement_timeout',
    type: DURATION,
    initial: '0',
    description: 'Longest run time of a statement.',
  },
  {
    name: 'synchronize_seqscans',
    type: BOOLEAN,
    initial: 'on',
    description: 'Accepted for compatibility.',
  },
  {
    name: 'synchronous_commit',
    type: oneOf('on', 'off', 'local', 'remote_write', 'remote_apply'),
    initial: 'on',
    description: 'Accepted; commits are always durable.',
  },
  {
    name: 'TimeZone',
    type: STRING,
    initial: 'UTC',
    isReported: true,
    normalize: normalizeTimeZone,
    description: 'Time zone of timestamps.',
  },
  {
    name: 'transaction_deferrable',
    type: BOOLEAN,
    initial: 'off',
    description: 'Accepted for compatibility.',
  },
  {
    name: 'transaction_isolation',
    type: ISOLATION,
    initial: 'read committed',
    description: 'Isolation level of this transaction.',
  },
  {
    name: 'transaction_read_only',
    type: BOOLEAN,
    initial: 'off',
    description: 'Whether this transaction is read only.',
  },
  {
    name: 'work_mem',
    type: STRING,
    initial: '4MB',
    description: 'Accepted; --query-memory bounds a query.',
  },
  {
    name: 'xmloption',
    type: oneOf('content', 'document'),
    initial: 'content',
    description: 'Accepted for compatibility.',
  },
];

export const SETTING_BY_NAME: ReadonlyMap<string, SettingDefinition> = new Map(
  SETTINGS.map((definition) => [definition.name.toLowerCase(), definition]),
);
