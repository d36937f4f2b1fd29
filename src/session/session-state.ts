/** What one client's conversation remembers: settings, transaction, cursors, prepared statements, and who it is. */

import { notSupported, SqlError } from '../base/sql-error.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { PlannerContext } from '../plan/context.ts';
import type { DataType } from '../types/data-type.ts';
import type { ValueSettings } from '../types/value.ts';
import type { Cursor } from './cursor.ts';
import type { Database } from './database.ts';
import { SessionEnvironment } from './environment.ts';
import type { LockWait } from './locks.ts';
import type { Notice, OutputSettings, ResultWriter, StartupParameters } from './port.ts';
import type { PreparedStatement } from './prepared-statement.ts';
import type { Transaction } from './transaction.ts';
import type { SessionVariables } from './variables.ts';

/** Prepared statements and cursors of one session at most (53400 beyond). */
export const PREPARED_MAX = 1000;
export const CURSORS_MAX = 1000;

export class SessionState {
  readonly database: Database;
  readonly variables: SessionVariables;
  readonly user: string;
  readonly processId: number;
  readonly clientAddress: string;
  readonly serverPort: number;
  readonly prepared = new Map<string, PreparedStatement>();
  readonly cursors = new Map<string, Cursor>();
  /** The running transaction, a block's or a statement's own. */
  transaction: Transaction | null = null;
  /** Aborted with the error that ends the running statement. */
  signal: AbortSignal = new AbortController().signal;
  #writer: ResultWriter | null = null;

  constructor(
    database: Database,
    variables: SessionVariables,
    startup: StartupParameters,
    user: string,
    serverPort: number,
  ) {
    this.database = database;
    this.variables = variables;
    this.user = user;
    this.processId = startup.processId;
    this.clientAddress = startup.clientAddress;
    this.serverPort = serverPort;
  }

  /** Where notices go while a message is worked on. */
  setWriter(writer: ResultWriter | null): void {
    this.#writer = writer;
  }

  get catalog(): Catalog {
    return this.transaction?.catalog ?? this.database.catalog;
  }

  /** The running transaction; every statement has one. */
  get running(): Transaction {
    if (this.transaction === null)
      throw new SqlError('25P01', 'there is no transaction in progress');
    return this.transaction;
  }

  /** Schemas of search_path. The schema called as the user is the system's own: `$user` stands for nothing here. */
  get searchPath(): readonly string[] {
    return parseNameList(this.variables.get('search_path')).filter((name) => name !== '$user');
  }

  get valueSettings(): ValueSettings {
    const { variables } = this;
    return {
      timeZone: variables.get('TimeZone'),
      dateStyle: variables.get('DateStyle'),
      intervalStyle: variables.get('IntervalStyle'),
      byteaOutput: variables.get('bytea_output') as 'hex' | 'escape',
      extraFloatDigits: Number(variables.get('extra_float_digits')),
    };
  }

  get outputSettings(): OutputSettings {
    return this.valueSettings;
  }

  get lockWait(): LockWait {
    return { timeoutMs: this.variables.durationMs('lock_timeout'), signal: this.signal };
  }

  plannerContext(parameterTypes: readonly (DataType | null)[] = []): PlannerContext {
    return {
      catalog: this.catalog,
      searchPath: this.searchPath,
      settings: this.valueSettings,
      parameterTypes,
      user: this.user,
      optimize: this.variables.get('optimizer') === 'on',
    };
  }

  environment(): SessionEnvironment {
    return new SessionEnvironment({
      database: this.database,
      catalog: this.catalog,
      variables: this.variables,
      searchPath: this.searchPath,
      user: this.user,
      processId: this.processId,
      transactionId: this.transaction?.id ?? 0,
      serverPort: this.serverPort,
    });
  }

  notice(message: string, fields: Partial<Omit<Notice, 'message'>> = {}): void {
    const severity = fields.severity ?? 'NOTICE';
    if (!isShown(severity, this.variables.get('client_min_messages'))) return;
    this.#writer?.notice({
      sqlstate: severity === 'WARNING' ? '01000' : '00000',
      ...fields,
      severity,
      message,
    });
  }
}

const MESSAGE_LEVELS = ['debug', 'log', 'info', 'notice', 'warning', 'error'];

function isShown(severity: Notice['severity'], lowest: string): boolean {
  if (severity === 'INFO') return true;
  return (
    MESSAGE_LEVELS.indexOf(severity.toLowerCase()) >=
    MESSAGE_LEVELS.indexOf(lowest.replace(/\d$/, ''))
  );
}

/** The names of a list setting: `"$user", public`. */
export function parseNameList(text: string): string[] {
  const names: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^",\s]+))\s*(?:,|$)/gy;
  for (
    let match = pattern.exec(text);
    match !== null && match[0] !== '';
    match = pattern.exec(text)
  ) {
    names.push(match[1] === undefined ? match[2]!.toLowerCase() : match[1].replaceAll('""', '"'));
  }
  return names;
}

/** What is parsed but not done. */
export function refuse(feature: string, position: number): never {
  throw notSupported(feature, { position });
}
