/**
 * `millrace sql`: a small SQL shell for machines without psql. A plain client of the wire (sole owner of the `pg`
 * package): whatever it shows, any other client can ask for.
 */

import { readFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline/promises';
import pg from 'pg';
import { ConfigError } from '../base/config.ts';
import { formatTable } from './result-table.ts';
import { splitStatements } from './statement-splitter.ts';

export interface ShellOptions {
  readonly url: string;
  readonly command: string | null;
  readonly file: string | null;
}

const DEFAULT_URL = 'postgres://millrace@127.0.0.1:4432/millrace';

/** The arguments behind `millrace sql`: [-c text] [-f file] [url]. Throws a ConfigError. */
export function parseShellArguments(args: readonly string[]): ShellOptions {
  const given: { command: string | null; file: string | null; url: string | null } = {
    command: null,
    file: null,
    url: null,
  };
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!;
    if (arg === '-c' || arg === '-f') {
      const value = args[++index];
      if (value === undefined) throw new ConfigError(`millrace sql: ${arg} needs a value`);
      given[arg === '-c' ? 'command' : 'file'] = value;
    } else if (arg.startsWith('-') || given.url !== null) {
      throw new ConfigError(
        `millrace sql: unknown argument ${arg}: millrace sql [-c text] [-f file] [url]`,
      );
    } else given.url = arg;
  }
  return { url: given.url ?? DEFAULT_URL, command: given.command, file: given.file };
}

const NUMERIC_OIDS = new Set([20, 21, 23, 26, 700, 701, 1700]);

const HELP = `\\d [name]   list relations, or describe one      \\dt \\dm \\dv \\di  tables, materialized views, views, indexes
\\watch [s] repeat the last query every s seconds \\timing          print how long statements take
\\i file    run a file                            \\q               quit`;

const RELATION_KINDS: Readonly<Record<string, string>> = {
  d: "'r','v','m','S'",
  dt: "'r'",
  dm: "'m'",
  dv: "'v'",
  di: "'i'",
};

function listRelations(kinds: string): string {
  return `SELECT n.nspname AS "Schema", c.relname AS "Name",
    CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' END AS "Type"
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN (${kinds}) AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'millrace') ORDER BY 1, 2`;
}

const DESCRIBE = `SELECT a.attname AS "Column", pg_catalog.format_type(a.atttypid, a.atttypmod) AS "Type",
    CASE WHEN a.attnotnull THEN 'not null' ELSE '' END AS "Nullable"
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`;

interface Output {
  write(text: string): void;
}

/** One connection and what the user has set for it. */
class Shell {
  readonly #client: pg.Client;
  readonly #out: Output;
  readonly #errors: Output;
  #isTiming = false;
  #lastQuery = '';
  #hasFailed = false;
  /** Command tags of the running text, in order: node-postgres keeps only their first word. */
  #tags: string[] = [];

  constructor(client: pg.Client, out: Output, errors: Output) {
    this.#client = client;
    this.#out = out;
    this.#errors = errors;
    client.on('notice', (notice) =>
      errors.write(`${notice.severity ?? 'NOTICE'}:  ${notice.message ?? ''}\n`),
    );
    client.connection.on('commandComplete', ({ text }: { readonly text: string }) =>
      this.#tags.push(text),
    );
  }

  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  async run(text: string, values: string[] = []): Promise<void> {
    if (text.trim() === '') return;
    const started = performance.now();
    this.#tags = [];
    try {
      const answer = await this.#client.query({
        text,
        values,
        rowMode: 'array',
        types: { getTypeParser: () => (value: string) => value },
      });
      for (const result of Array.isArray(answer) ? answer : [answer]) this.#print(result);
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error;
      this.#hasFailed = true;
      this.#errors.write(describeError(error, text));
    }
    if (this.#isTiming) this.#out.write(`Time: ${(performance.now() - started).toFixed(3)} ms\n`);
  }

  async runStatements(text: string): Promise<void> {
    if (text.trim() === '') return;
    this.#lastQuery = text;
    await this.run(text);
  }

  /** A backslash command; false = quit. */
  async command(line: string, lines: Interface | null): Promise<boolean> {
    const [name = '', argument = ''] = line.slice(1).trim().split(/\s+/, 2);
    if (name === 'q') return false;
    if (name === '?') this.#out.write(`${HELP}\n`);
    else if (name === 'timing') this.#toggleTiming();
    else if (name === 'd' && argument !== '') await this.run(DESCRIBE, [argument]);
    else if (Object.hasOwn(RELATION_KINDS, name))
      await this.run(listRelations(RELATION_KINDS[name]!));
    else if (name === 'watch') await this.#watch(Number(argument || 2), lines);
    else if (name === 'i') await this.runStatements(readFileSync(argument, 'utf8'));
    else this.#errors.write(`invalid command \\${name}; try \\? for help\n`);
    return true;
  }

  #toggleTiming(): void {
    this.#isTiming = !this.#isTiming;
    this.#out.write(`Timing is ${this.#isTiming ? 'on' : 'off'}.\n`);
  }

  async #watch(seconds: number, lines: Interface | null): Promise<void> {
    if (!(seconds > 0) || this.#lastQuery === '') {
      this.#errors.write('\\watch needs a query before it and a positive number of seconds\n');
      return;
    }
    const stop = new AbortController();
    const onInterrupt = () => stop.abort();
    lines?.once('SIGINT', onInterrupt);
    while (!stop.signal.aborted && !this.#hasFailed) {
      await this.run(this.#lastQuery);
      await pause(seconds * 1000, stop.signal);
    }
    lines?.off('SIGINT', onInterrupt);
    this.#hasFailed = false;
  }

  #print(result: pg.QueryArrayResult): void {
    // An empty statement has none.
    const tag = result.command === null ? undefined : this.#tags.shift();
    if (result.fields.length === 0) {
      if (tag !== undefined) this.#out.write(`${tag}\n`);
      return;
    }
    const columns = result.fields.map(({ name, dataTypeID }) => ({
      name,
      isNumeric: NUMERIC_OIDS.has(dataTypeID),
    }));
    this.#out.write(`${formatTable(columns, result.rows)}\n`);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

function describeError(error: pg.DatabaseError, text: string): string {
  const lines = [`${error.severity ?? 'ERROR'}:  ${error.message}`];
  const position = Number(error.position ?? 0);
  if (position > 0) {
    const before = [...text].slice(0, position - 1).join('');
    const start = before.lastIndexOf('\n') + 1;
    const number = before.split('\n').length;
    const prefix = `LINE ${number}: `;
    lines.push(
      `${prefix}${text.slice(start).split('\n')[0]}`,
      `${' '.repeat(prefix.length + before.length - start)}^`,
    );
  }
  if (error.detail) lines.push(`DETAIL:  ${error.detail}`);
  if (error.hint) lines.push(`HINT:  ${error.hint}`);
  return `${lines.join('\n')}\n`;
}

async function interact(shell: Shell, isTerminal: boolean): Promise<void> {
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: isTerminal,
    historySize: 1000,
  });
  let pending = '';
  const prompt = () => {
    if (!isTerminal) return;
    lines.setPrompt(pending === '' ? 'millrace=> ' : 'millrace-> ');
    lines.prompt();
  };
  prompt();
  for await (const line of lines) {
    if (pending === '' && line.trimStart().startsWith('\\')) {
      if (!(await shell.command(line.trim(), lines))) break;
    } else {
      const { complete, rest } = splitStatements(`${pending}${line}\n`);
      await shell.runStatements(complete);
      pending = rest.trim() === '' ? '' : rest;
    }
    prompt();
  }
  await shell.runStatements(pending);
  lines.close();
}

/** A script: what stands between lines of backslash commands goes to the server whole, as one message. */
async function runText(shell: Shell, text: string): Promise<void> {
  let pending = '';
  for (const line of text.split('\n')) {
    const isCommand =
      line.trimStart().startsWith('\\') && splitStatements(pending).rest.trim() === '';
    if (!isCommand) {
      pending += `${line}\n`;
      continue;
    }
    await shell.runStatements(pending);
    pending = '';
    if (!(await shell.command(line.trim(), null))) return;
  }
  await shell.runStatements(pending);
}

/** Runs the shell; resolves with the exit code (psql's: 0, 1 after a failed statement, 2 without a connection). */
export async function runSqlShell(options: ShellOptions): Promise<number> {
  const client = new pg.Client({ connectionString: options.url, application_name: 'millrace sql' });
  try {
    await client.connect();
  } catch (error) {
    process.stderr.write(
      `millrace sql: cannot connect to ${redact(options.url)}: ${error instanceof Error ? error.message || String(error) : String(error)}\n`,
    );
    return 2;
  }
  client.on('error', (error) =>
    process.stderr.write(`millrace sql: the connection was lost: ${error.message}\n`),
  );
  const shell = new Shell(client, process.stdout, process.stderr);
  if (options.command !== null) await runText(shell, options.command);
  else if (options.file !== null) await runText(shell, readFileSync(options.file, 'utf8'));
  else await interact(shell, process.stdin.isTTY === true);
  const isScripted = options.command !== null || options.file !== null;
  await client.end();
  return isScripted && shell.hasFailed ? 1 : 0;
}

/** The URL without its password. */
function redact(url: string): string {
  return url.replace(/(\/\/[^:@/]*):[^@]*@/, '$1@');
}
