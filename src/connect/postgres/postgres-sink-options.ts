/** Options of the connector `postgres` as a sink: checks at CREATE. */

import { SqlError } from '../../base/sql-error.ts';
import { plainTypeName } from '../../types/type-name.ts';
import { badValue, checkOptions, type OptionSchema, type OptionValue } from '../options.ts';
import type { CheckedSink, SinkCheckRequest } from '../sink.ts';
import { checkSinkKey, SINK_KEY_SCHEMA } from '../sink-key.ts';
import type { Json } from '../source.ts';
import type { PostgresConfig } from './client.ts';
import type { PostgresSinkOptions, PostgresSinkType } from './postgres-sink.ts';

const OWNER = 'connector "postgres"';
const MIB = 1024 * 1024;
const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'];

const SCHEMA: OptionSchema = {
  url: { kind: 'text', default: null },
  host: { kind: 'text', default: null },
  port: { kind: 'integer', min: 1, max: 65_535, default: null },
  user: { kind: 'text', default: null },
  password: { kind: 'text', default: null },
  database: { kind: 'text', default: null },
  sslmode: { kind: 'choice', choices: SSL_MODES, default: null },
  'ssl.ca.pem': { kind: 'text', default: null },
  schema: { kind: 'text', default: 'public' },
  table: { kind: 'text' },
  type: { kind: 'choice', choices: ['append-only', 'upsert'], default: null },
  ...SINK_KEY_SCHEMA,
  'progress.schema': { kind: 'text', default: null },
  'spool.max.bytes': { kind: 'integer', min: MIB, default: 1024 * MIB },
};

/** Values of these types are equal only where their texts are. */
const KEY_TYPES: ReadonlySet<string> = new Set([
  ...['bool', 'int2', 'int4', 'int8', 'text', 'varchar', 'bytea', 'uuid', 'date', 'time'],
  ...['timestamp', 'timestamptz'],
]);
/** Where they have a scale or length. */
const SCALED_KEY_TYPES: ReadonlySet<string> = new Set(['numeric', 'bpchar']);

type Options = ReadonlyMap<string, OptionValue>;

export function checkPostgresSink(request: SinkCheckRequest): CheckedSink {
  const options = checkOptions(OWNER, SCHEMA, request.options);
  const type = checkType(options, request);
  const { columns: named, uniqueKey } = checkSinkKey(OWNER, type, options, request);
  const key = type === 'upsert' ? (named ?? []) : [];
  const { columns } = request;
  for (const index of key) {
    const { name, type: keyType } = columns[index]!;
    if (KEY_TYPES.has(keyType.id)) continue;
    if (SCALED_KEY_TYPES.has(keyType.id) && keyType.typmod !== -1) continue;
    const message = `column "${name}" of type ${plainTypeName(keyType)} cannot be part of the key of a sink to PostgreSQL`;
    throw new SqlError('0A000', message, {
      hint: 'Equal values of it may look different: cast it in the query of the sink, to text or numeric(p,s).',
    });
  }
  const schema = options.get('schema') as string;
  const progressSchema = (options.get('progress.schema') as string | null) ?? schema;
  const checked: PostgresSinkOptions = {
    config: checkConnection(options),
    table: { schema, name: options.get('table') as string },
    progressTable: { schema: progressSchema, name: 'millrace_sink_progress' },
    type,
    key,
    columns: columns.map(({ name, type: columnType }) => ({ name, type: columnType })),
    spoolBytesMax: options.get('spool.max.bytes') as number,
    statements: null,
  };
  return { options: checked as unknown as Json, uniqueKey };
}

/** Where nothing is said: rows that are only added stay so, unless they have a key. */
function checkType(options: Options, { changes }: SinkCheckRequest): PostgresSinkType {
  const named = options.get('type') as PostgresSinkType | null;
  if (named !== null) return named;
  const isAdded = changes.isAppendOnly || options.get('force_append_only') === true;
  return isAdded && options.get('primary_key') === null ? 'append-only' : 'upsert';
}

function checkConnection(options: Options): PostgresConfig {
  const text = options.get('url') as string | null;
  const url = text === null ? null : checkUrl(text, options);
  const given = (name: string): string | null => (options.get(name) as string | null) ?? null;
  const user = url === null ? (given('user') ?? 'postgres') : decoded(url.username);
  const database = url === null ? given('database') : decoded(url.pathname.slice(1));
  const password = given('password') ?? decoded(url?.password ?? '');
  const mode = given('sslmode') ?? url?.searchParams.get('sslmode') ?? 'disable';
  if (!SSL_MODES.includes(mode)) {
    throw badValue(OWNER, 'url', `sslmode=${mode}`, `sslmode: one of ${SSL_MODES.join(', ')}`);
  }
  return {
    host: url === null ? (given('host') ?? 'localhost') : url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url === null ? (options.get('port') ?? 5432) : url.port || 5432),
    user: user === '' ? 'postgres' : user,
    password: password === '' ? null : password,
    database: database === null || database === '' ? user : database,
    tls:
      mode === 'disable'
        ? null
        : {
            ca: given('ssl.ca.pem'),
            isVerified: mode.startsWith('verify'),
            namesHost: mode === 'verify-full',
          },
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw badValue(
      OWNER,
      'url',
      '...',
      'without a % that is not followed by two hexadecimal digits',
    );
  }
}

function checkUrl(text: string, options: Options): URL {
  const wanted = 'postgres://user:password@host:port/database, with ?sslmode= at most';
  const url = URL.canParse(text) ? new URL(text) : null;
  // A password that is a secret stands beside the URL.
  const alone = (url?.password ?? '') === '' ? [] : ['password'];
  for (const name of ['host', 'port', 'user', 'database', ...alone]) {
    if (options.get(name) === null) continue;
    throw new SqlError('22023', `options "url" and "${name}" of ${OWNER} say the same thing`);
  }
  const isKnown = url?.protocol === 'postgres:' || url?.protocol === 'postgresql:';
  const parameters = [...(url?.searchParams.keys() ?? [])];
  if (url !== null && isKnown && parameters.every((name) => name === 'sslmode')) return url;
  throw badValue(OWNER, 'url', withoutPassword(text), wanted);
}

function withoutPassword(text: string): string {
  return text.replace(/(\/\/[^:@/]*:)[^@]*@/, '$1********@');
}
