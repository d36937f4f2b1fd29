/** CREATE SECRET: a value that options name, kept sealed. */

import { SqlError } from '../../base/sql-error.ts';
import type { SecretObject } from '../../catalog/objects.ts';
import { checkOptions, type OptionSchema, type OptionSpec } from '../../connect/options.ts';
import type { AlterSecret, CreateSecret } from '../../sql/statements.ts';
import { optionMap, withOptionPlaces } from '../connector-options.ts';
import { changeOf, objectBase } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import type { SessionState } from '../session-state.ts';

export const SECRET_BACKEND: OptionSpec = { kind: 'choice', choices: ['meta'] };
const OPTIONS: OptionSchema = { backend: SECRET_BACKEND };

export function planCreateSecret(ast: CreateSecret, { session }: HandlerContext): StatementPlan {
  return command(async () => {
    await withOptionPlaces({ ...ast, format: null }, () => createSecret(ast, session));
    return 'CREATE SECRET';
  });
}

async function createSecret(ast: CreateSecret, session: SessionState): Promise<void> {
  const { name } = ast;
  const transaction = session.running;
  transaction.requireWritable('CREATE SECRET');
  await transaction.lockCatalog(session.lockWait);
  checkOptions('CREATE SECRET', OPTIONS, new Map(Object.entries(optionMap(ast.options))));
  checkSecretValue(ast);
  const { catalog, database } = session;
  if (catalog.secret(name) !== undefined) {
    if (!ast.ifNotExists) throw new SqlError('42710', `secret "${name}" already exists`);
    session.notice(`secret "${name}" already exists, skipping`, { sqlstate: '42710' });
    return;
  }
  // A key that is missing is not made anew beside secrets that it would not open.
  if (catalog.secrets().length === 0) database.secrets.ensureKey();
  const sealed = database.secrets.seal(ast.value);
  const secret: SecretObject = { kind: 'secret', ...objectBase(catalog.nextId, name), sealed };
  transaction.addDdl(changeOf(catalog, [secret]), []);
}

export function checkSecretValue({ value, position }: CreateSecret | AlterSecret): void {
  if (value === '') throw new SqlError('22023', 'a secret cannot be empty', { position });
}
