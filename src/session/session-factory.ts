/** Opens sessions: who may come in, which database is meant, and what the startup parameters set. */

import { SqlError } from '../base/sql-error.ts';
import { DATABASE_NAME, type Database } from './database.ts';
import type { Session, SessionFactory, StartupParameters } from './port.ts';
import { SessionState } from './session-state.ts';
import { SqlSession } from './sql-session.ts';
import { SessionVariables } from './variables.ts';

const SUPERUSER = 'millrace';

export interface LoginRules {
  /** A password is required: then only the user that has it is let in. */
  readonly isPasswordSet: boolean;
  readonly port: number;
}

export class SqlSessionFactory implements SessionFactory {
  readonly #database: Database;
  readonly #rules: LoginRules;

  constructor(database: Database, rules: LoginRules) {
    this.#database = database;
    this.#rules = rules;
  }

  async open(startup: StartupParameters): Promise<Session> {
    this.#checkUser(startup.user);
    this.#checkDatabase(startup);
    const variables = new SessionVariables();
    variables.fix('session_authorization', SUPERUSER);
    for (const [name, value] of Object.entries(this.#database.fixedSettings)) {
      variables.fix(name, value);
    }
    for (const [name, value] of startup.settings) applyStartupSetting(variables, name, value);
    const state = new SessionState(this.#database, variables, startup, SUPERUSER, this.#rules.port);
    const { sessions } = this.#database;
    const session = new SqlSession(state, {
      onEnd: () => sessions.delete(startup.processId),
      terminate: startup.terminate,
    });
    sessions.set(startup.processId, session.describe(this.#database.clock.wallUs()));
    return session;
  }

  /** Without a password anywhere every name acts as the superuser (interfaces.md). */
  #checkUser(user: string): void {
    if (user === SUPERUSER || !this.#rules.isPasswordSet) return;
    throw new SqlError('28000', `role "${user}" does not exist`, { severity: 'FATAL' });
  }

  #checkDatabase({ database, user }: StartupParameters): void {
    if ([DATABASE_NAME, 'postgres', user].includes(database)) return;
    throw new SqlError('3D000', `database "${database}" does not exist`, {
      severity: 'FATAL',
      hint: `The database is called ${DATABASE_NAME}.`,
    });
  }
}

function applyStartupSetting(variables: SessionVariables, name: string, value: string): void {
  if (name.toLowerCase() === 'replication') {
    if (/^(off|false|no|0)$/i.test(value)) return;
    throw new SqlError('0A000', 'replication connections are not supported', { severity: 'FATAL' });
  }
  try {
    variables.setDefault(name, value);
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    throw new SqlError(error.sqlstate, error.message, { ...error.fields, severity: 'FATAL' });
  }
}
