/**
 * The command line, the environment and the config file, checked: flag > environment > file >
 * default. Every refusal is a ConfigError: one line for stderr and an exit code.
 */

import { readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, extname, resolve } from 'node:path';
import { z } from 'zod';
import { closestName } from './closest-name.ts';
import { DURATION_UNITS, parseDurationMs } from './duration.ts';
import { fileProblem } from './file-problem.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';
import { availableMemoryBytes, parseMemorySize } from './memory-size.ts';
import { parseToml } from './toml.ts';

export interface TlsFiles {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface Config {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** null = no HTTP. */
  readonly httpPort: number | null;
  /** As given; `:memory:` keeps nothing. */
  readonly dataDir: string;
  /** null = the engine decides. */
  readonly workers: number | null;
  readonly memoryLimitBytes: number;
  readonly queryMemoryBytes: number;
  /** Dead letters beyond either are trimmed. */
  readonly deadLetterBytesMax: number;
  readonly deadLetterAgeMsMax: number;
  readonly deadLetterRecordBytesMax: number;
  /** Absolute directories. */
  readonly fileRoots: readonly string[];
  readonly logLevel: LogLevel;
  readonly kernels: 'auto' | 'ts';
  /** How long the main thread polls for a quick client's next request; 0 = not at all. */
  readonly busyPollUs: number;
  /** Password of `millrace`; null = none asked for. */
  readonly password: string | null;
  /** File of the key of secrets; null = in the data directory. */
  readonly secretKeyFile: string | null;
  readonly tls: TlsFiles | null;
  readonly isInsecure: boolean;
}

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'serve'; readonly config: Config }
  /** `brokers`: Kafka that the demo goes through, host:port,host:port; null: it does not. */
  | { readonly kind: 'demo'; readonly config: Config; readonly brokers: string | null }
  | { readonly kind: 'sql'; readonly args: readonly string[] }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' };

/** A start that is refused: `message` is the one line to print. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}

export const MEMORY_DATA_DIR = ':memory:';

/** Digits only: no signs, exponents or blanks. */
function integer(min: number, max: number, expected = `a number from ${min} to ${max}`) {
  return z
    .string()
    .regex(/^\d{1,9}$/, `expected ${expected}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `expected ${expected}`);
}

function orWord(word: string, min: number, max: number, expected: string) {
  return z.union([z.literal(word), integer(min, max, expected)], `expected ${expected}`);
}

function oneOf<T extends string>(words: readonly T[]) {
  const last = words.at(-1) as T;
  return z.enum(words, `expected ${words.slice(0, -1).join(', ')} or ${last}`);
}

const PORT = integer(0, 65_535);

/** A text that `parse` makes a number of, from `min` to `max`. */
function quantity(
  parse: (text: string) => number | null,
  min: number,
  max: number,
  message: string,
) {
  return z.string().transform((text, context) => {
    const value = parse(text);
    if (value !== null && value >= min && value <= max) return value;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

const MEMORY = quantity(
  parseMemorySize,
  16 * 2 ** 20,
  Number.MAX_SAFE_INTEGER,
  'expected at least 16MB, as bytes, 512MB or 4GB',
);
const DEAD_LETTER_SIZE = quantity(
  parseMemorySize,
  64 * 2 ** 10,
  2 ** 30,
  'expected 64KB to 1GB, as bytes, 512KB or 64MB',
);
const DEAD_LETTER_RECORD_SIZE = quantity(
  parseMemorySize,
  2 ** 10,
  8 * 2 ** 20,
  'expected 1KB to 8MB, as bytes, 64KB or 1MB',
);
const DEAD_LETTER_AGE = quantity(
  parseDurationMs,
  1000,
  3650 * DURATION_UNITS.d!,
  'expected 1s to 3650d, in s, min, h or d',
);
const BUSY_POLL_US_MAX = 1000;
const BUSY_POLL_US = 200;
const TEXT = z.string().min(1, 'expected a value');
const BROKERS = z
  .string()
  .regex(/^[^\s,']+:\d{1,5}(,[^\s,']+:\d{1,5})*$/, 'expected host:port or host:port,host:port');

interface Option {
  /** The flag without its dashes; also the key in a config file. */
  readonly name: string;
  readonly environment: string | null;
  readonly schema: z.ZodType;
  readonly help: string;
  readonly isFlagOnly?: true;
  readonly isSwitch?: true;
  readonly isRepeatable?: true;
  readonly isDemoOnly?: true;
}

const OPTIONS: readonly Option[] = [
  option('host', 'MILLRACE_HOST', TEXT, 'address of both ports (127.0.0.1)'),
  option('port', 'MILLRACE_PORT', PORT, 'SQL port, Postgres protocol; 0 = any (4432)'),
  option(
    'http-port',
    'MILLRACE_HTTP_PORT',
    orWord('off', 0, 65_535, 'a port or off'),
    'HTTP port; 0 = any, off = none (4480)',
  ),
  option('data-dir', 'MILLRACE_DATA_DIR', TEXT, ':memory: keeps nothing (./millrace-data)'),
  option(
    'workers',
    'MILLRACE_WORKERS',
    orWord('auto', 1, 64, 'auto or a number from 1 to 64'),
    'dataflow workers (auto)',
  ),
  option(
    'memory-limit',
    'MILLRACE_MEMORY_LIMIT',
    MEMORY,
    'bytes, 512MB, 4GB (60 % of the machine)',
  ),
  {
    ...option(
      'file-root',
      'MILLRACE_FILE_ROOT',
      TEXT,
      'where files may be read (current directory)',
    ),
    isRepeatable: true,
  },
  option('log-level', 'MILLRACE_LOG_LEVEL', oneOf(LOG_LEVELS), 'trace .. fatal, silent (info)'),
  option('query-memory', 'MILLRACE_QUERY_MEMORY', MEMORY, 'of one SELECT (a quarter of the limit)'),
  option(
    'dead-letter-size',
    'MILLRACE_DEAD_LETTER_SIZE',
    DEAD_LETTER_SIZE,
    'dead letters kept, as bytes, 512KB, 64MB (64MB)',
  ),
  option(
    'dead-letter-age',
    'MILLRACE_DEAD_LETTER_AGE',
    DEAD_LETTER_AGE,
    'how long they are kept, as 12h, 7d (7d)',
  ),
  option(
    'dead-letter-record-size',
    'MILLRACE_DEAD_LETTER_RECORD_SIZE',
    DEAD_LETTER_RECORD_SIZE,
    'kept of one rejected record, as bytes, 64KB, 1MB (64KB)',
  ),
  option(
    'kernels',
    'MILLRACE_KERNELS',
    oneOf(['auto', 'ts']),
    'ts = TypeScript bodies only (auto)',
  ),
  option(
    'busy-poll',
    'MILLRACE_BUSY_POLL',
    integer(0, BUSY_POLL_US_MAX),
    'µs awake for a quick client; 0 = off (200)',
  ),
  option('password-file', null, TEXT, 'password of millrace (MILLRACE_PASSWORD holds it itself)'),
  option(
    'secret-key-file',
    'MILLRACE_SECRET_KEY_FILE',
    TEXT,
    'key of CREATE SECRET (secret.key in the data directory)',
  ),
  option('tls-cert', 'MILLRACE_TLS_CERT', TEXT, 'PEM file; TLS on both ports'),
  option('tls-key', 'MILLRACE_TLS_KEY', TEXT, 'PEM file'),
  {
    ...option('insecure', null, z.boolean(), 'allow other addresses without a password'),
    isSwitch: true,
    isFlagOnly: true,
  },
  {
    ...option('config', 'MILLRACE_CONFIG', TEXT, 'JSON or TOML file with these names'),
    isFlagOnly: true,
  },
  {
    ...option('kafka', null, BROKERS, "the demo's brokers, host:port,... (a checkout has its own)"),
    isFlagOnly: true,
    isDemoOnly: true,
  },
];

function option(name: string, environment: string | null, schema: z.ZodType, help: string): Option {
  return { name, environment, schema, help };
}

/** The text of --help. */
export function helpText(): string {
  const lines = OPTIONS.map(({ name, environment, help }) => {
    const flag = `--${name}`.padEnd(16);
    return `  ${flag} ${(environment ?? '').padEnd(21)} ${help}`;
  });
  return [
    'Usage: millrace [serve] [options]',
    '       millrace demo [options]',
    '       millrace sql [-c text] [-f file] [url]',
    '       millrace --version | --help',
    '',
    ...lines,
    '',
  ].join('\n');
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a command sets where nobody else does: the demo keeps apart from a server's own data. */
const COMMAND_DEFAULTS = {
  serve: new Map<string, Given>(),
  demo: new Map([['data-dir', { texts: ['./millrace-data/demo'], origin: 'demo' }]]),
  kafkaDemo: new Map([['data-dir', { texts: ['./millrace-data/demo-kafka'], origin: 'demo' }]]),
};

/** Reads the arguments behind `millrace`. */
export function parseCommand(args: readonly string[], environment: Environment): Command {
  const wantsHelp = args.includes('--help') || args.includes('-h');
  if (wantsHelp) return { kind: 'help' };
  if (args[0] === 'sql') return { kind: 'sql', args: args.slice(1) };
  const kind = args[0] === 'demo' ? 'demo' : 'serve';
  const rest = args[0] === kind ? args.slice(1) : args;
  if (rest.includes('--version') || rest.includes('-V')) return { kind: 'version' };
  const flags = readFlags(rest, kind);
  const fromEnvironment = readEnvironment(environment);
  const file = one(flags, 'config') ?? one(fromEnvironment, 'config');
  const fromFile = file === undefined ? new Map() : readConfigFile(file);
  const defaults = COMMAND_DEFAULTS[flags.has('kafka') ? 'kafkaDemo' : kind];
  const given = new Map([...defaults, ...fromFile, ...fromEnvironment, ...flags]);
  const config = checkConfig(given, readPassword(flags, environment, fromFile));
  if (kind === 'serve') return { kind, config };
  return { kind, config, brokers: checked<string>(given, 'kafka') ?? null };
}

/** A value as given, and where: for the error line. */
interface Given {
  readonly texts: readonly string[];
  readonly origin: string;
}

function one(given: ReadonlyMap<string, Given>, name: string): string | undefined {
  return given.get(name)?.texts.at(-1);
}

function readFlags(args: readonly string[], kind: 'serve' | 'demo'): Map<string, Given> {
  const flags = new Map<string, Given>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const [flag, attached] = splitFlag(arg);
    const known = OPTIONS.find(({ name }) => `--${name}` === flag);
    if (known === undefined) throw new ConfigError(unknownFlag(arg, flag));
    if (known.isDemoOnly && kind !== 'demo') {
      throw new ConfigError(`millrace: ${flag} is an option of millrace demo`);
    }
    if (known.isSwitch && attached !== null) {
      throw new ConfigError(`millrace: ${flag} takes no value`);
    }
    const hasNext = args[i + 1]?.startsWith('--') === false;
    const value = known.isSwitch ? 'true' : (attached ?? (hasNext ? args[++i] : undefined));
    if (value === undefined)
      throw new ConfigError(`millrace: ${flag} needs a value: ${known.help}`);
    const before = known.isRepeatable ? (flags.get(known.name)?.texts ?? []) : [];
    flags.set(known.name, { texts: [...before, value], origin: flag });
  }
  return flags;
}

function splitFlag(arg: string): [flag: string, attached: string | null] {
  const equals = arg.indexOf('=');
  return equals < 0 ? [arg, null] : [arg.slice(0, equals), arg.slice(equals + 1)];
}

function unknownFlag(arg: string, flag: string): string {
  if (!arg.startsWith('-')) return `millrace: unknown command or argument ${JSON.stringify(arg)}`;
  const near = closestName(
    flag,
    OPTIONS.map(({ name }) => `--${name}`),
  );
  const hint = near === null ? 'see millrace --help' : `did you mean ${near}?`;
  return `millrace: unknown option ${flag}: ${hint}`;
}

function readEnvironment(environment: Environment): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const { name, environment: variable, isRepeatable } of OPTIONS) {
    const text = variable === null ? undefined : environment[variable];
    if (variable === null || text === undefined || text === '') continue;
    const texts = isRepeatable ? text.split(delimiter).filter((part) => part !== '') : [text];
    given.set(name, { texts, origin: variable });
  }
  return given;
}

const FILE_VALUE = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]);
const FILE_SHAPE = z.record(z.string(), FILE_VALUE);

function readConfigFile(file: string): Map<string, Given> {
  const text = readText(file, 'config file');
  const tree = parseConfigText(text, file);
  const shape = FILE_SHAPE.safeParse(tree);
  if (!shape.success) {
    const where = shape.error.issues[0]?.path.join('.') ?? '';
    throw new ConfigError(`millrace: ${file}: bad value of ${JSON.stringify(where)}`);
  }
  const given = new Map<string, Given>();
  for (const [name, value] of Object.entries(shape.data)) {
    const known = OPTIONS.find((candidate) => candidate.name === name && !candidate.isFlagOnly);
    if (known === undefined) throw new ConfigError(unknownKey(file, name));
    if (Array.isArray(value) && !known.isRepeatable) {
      throw new ConfigError(`millrace: ${file}: ${name} takes one value`);
    }
    const texts = Array.isArray(value) ? value : [String(value)];
    given.set(name, { texts, origin: `${file}: ${name}` });
  }
  return given;
}

function unknownKey(file: string, name: string): string {
  const names = OPTIONS.filter(({ isFlagOnly }) => !isFlagOnly).map((known) => known.name);
  const near = closestName(name, names);
  const hint = near === null ? '' : `: did you mean ${near}?`;
  return `millrace: ${file}: unknown option ${JSON.stringify(name)}${hint}`;
}

function parseConfigText(text: string, file: string): unknown {
  try {
    return extname(file) === '.toml' ? parseToml(text) : JSON.parse(text);
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw new ConfigError(`millrace: cannot read config file ${file}: ${reason}`);
  }
}

function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`millrace: cannot read ${what} ${file}: ${fileProblem(error)}`);
  }
}

/** Flag file > MILLRACE_PASSWORD > the config file's password-file. */
function readPassword(
  flags: ReadonlyMap<string, Given>,
  environment: Environment,
  fromFile: ReadonlyMap<string, Given>,
): string | null {
  const flagFile = one(flags, 'password-file');
  const inEnvironment = environment.MILLRACE_PASSWORD;
  if (flagFile === undefined && inEnvironment !== undefined && inEnvironment !== '') {
    return inEnvironment;
  }
  const file = flagFile ?? one(fromFile, 'password-file');
  if (file === undefined) return null;
  const password = readText(file, 'password file').replace(/\r?\n$/, '');
  if (password === '') throw new ConfigError(`millrace: password file ${file} is empty`);
  return password;
}

/** One option's checked value, or undefined where it was not given. */
function checked<T>(given: ReadonlyMap<string, Given>, name: string): T | undefined {
  const value = given.get(name);
  const known = OPTIONS.find((candidate) => candidate.name === name);
  if (value === undefined || known === undefined) return undefined;
  const text = value.texts.at(-1);
  const result = known.schema.safeParse(known.isSwitch ? text === 'true' : text);
  if (result.success) return result.data as T;
  const reason = result.error.issues[0]?.message ?? 'not understood';
  throw new ConfigError(
    `millrace: bad value ${JSON.stringify(text)} for ${value.origin}: ${reason}`,
  );
}

function checkConfig(given: ReadonlyMap<string, Given>, password: string | null): Config {
  const httpPort = checked<number | 'off'>(given, 'http-port') ?? 4480;
  const workers = checked<number | 'auto'>(given, 'workers') ?? 'auto';
  const memoryLimitBytes =
    checked<number>(given, 'memory-limit') ?? Math.floor(availableMemoryBytes() * 0.6);
  const config: Config = {
    host: checked<string>(given, 'host') ?? '127.0.0.1',
    port: checked<number>(given, 'port') ?? 4432,
    httpPort: httpPort === 'off' ? null : httpPort,
    dataDir: checked<string>(given, 'data-dir') ?? './millrace-data',
    workers: workers === 'auto' ? null : workers,
    memoryLimitBytes,
    queryMemoryBytes: checked<number>(given, 'query-memory') ?? Math.floor(memoryLimitBytes / 4),
    deadLetterBytesMax: checked<number>(given, 'dead-letter-size') ?? 64 * 2 ** 20,
    deadLetterAgeMsMax: checked<number>(given, 'dead-letter-age') ?? 7 * DURATION_UNITS.d!,
    deadLetterRecordBytesMax: checked<number>(given, 'dead-letter-record-size') ?? 64 * 2 ** 10,
    fileRoots: fileRoots(given.get('file-root')),
    logLevel: checked<LogLevel>(given, 'log-level') ?? 'info',
    kernels: checked<'auto' | 'ts'>(given, 'kernels') ?? 'auto',
    busyPollUs: checked<number>(given, 'busy-poll') ?? defaultBusyPollUs(),
    password,
    secretKeyFile: checked<string>(given, 'secret-key-file') ?? null,
    tls: readTls(checked<string>(given, 'tls-cert'), checked<string>(given, 'tls-key')),
    isInsecure: checked<boolean>(given, 'insecure') ?? false,
  };
  checkConsistent(config);
  return config;
}

function fileRoots(given: Given | undefined): string[] {
  if (given === undefined) return [resolve('.')];
  for (const root of given.texts) {
    if (statSync(root, { throwIfNoEntry: false })?.isDirectory() === true) continue;
    throw new ConfigError(`millrace: ${given.origin}: ${root} is not a directory`);
  }
  return given.texts.map((root) => resolve(root));
}

/** On a single core the client, which is waited for, would not get to run. */
function defaultBusyPollUs(): number {
  return availableParallelism() > 1 ? BUSY_POLL_US : 0;
}

function readTls(certFile: string | undefined, keyFile: string | undefined): TlsFiles | null {
  if (certFile === undefined && keyFile === undefined) return null;
  if (certFile === undefined || keyFile === undefined) {
    throw new ConfigError('millrace: --tls-cert and --tls-key go together');
  }
  return {
    certPem: readText(certFile, 'TLS certificate'),
    keyPem: readText(keyFile, 'TLS key'),
  };
}

function checkConsistent(config: Config): void {
  if (config.port !== 0 && config.port === config.httpPort) {
    throw new ConfigError(`millrace: --port and --http-port are both ${config.port}`);
  }
  if (config.queryMemoryBytes > config.memoryLimitBytes) {
    throw new ConfigError('millrace: --query-memory is more than --memory-limit');
  }
  if (!isLoopback(config.host) && config.password === null && !config.isInsecure) {
    const remedy = 'set a password (--password-file or MILLRACE_PASSWORD) or say --insecure';
    throw new ConfigError(`millrace: ${config.host} is not a loopback address: ${remedy}`);
  }
}

/** Whether only this machine reaches the address. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
  );
}
