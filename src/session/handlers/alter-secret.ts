/** ALTER SECRET: another value. Sources and sinks that use it connect again with it. */

import { SqlError } from '../../base/sql-error.ts';
import type { SinkObject, SourceObject, TableObject } from '../../catalog/objects.ts';
import { checkOptions } from '../../connect/options.ts';
import type { DdlAction } from '../../dataflow/port.ts';
import type { AlterSecret } from '../../sql/statements.ts';
import { optionMap, withOptionPlaces } from '../connector-options.ts';
import { relationCheck } from '../connector-relation.ts';
import { changeOf } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { OptionSecrets } from '../option-secrets.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import type { SessionState } from '../session-state.ts';
import { checkSecretValue, SECRET_BACKEND } from './create-secret.ts';
import { sinkCheck } from './create-sink.ts';

const OPTIONS = { backend: { ...SECRET_BACKEND, default: 'meta' } } as const;

export function planAlterSecret(ast: AlterSecret, { session }: HandlerContext): StatementPlan {
  return command(async () => {
    await withOptionPlaces({ ...ast, format: null }, () => alterSecret(ast, session));
    return 'ALTER SECRET';
  });
}

async function alterSecret(ast: AlterSecret, session: SessionState): Promise<void> {
  const { name, value } = ast;
  const transaction = session.running;
  transaction.requireWritable('ALTER SECRET');
  await transaction.lockCatalog(session.lockWait);
  checkOptions('ALTER SECRET', OPTIONS, new Map(Object.entries(optionMap(ast.options))));
  checkSecretValue(ast);
  const { catalog, database } = session;
  const secret = catalog.secret(name);
  if (secret === undefined) throw new SqlError('42704', `secret "${name}" does not exist`);
  transaction.addDdl(changeOf(catalog, [{ ...secret, sealed: database.secrets.seal(value) }]), []);
  const users = catalog.directDependents(secret.id).filter(isUser);
  const actions = users.map((user) => withNewValue(user, session));
  transaction.addDdl(changeOf(session.catalog, []), actions);
}

type User = SourceObject | TableObject | SinkObject;

function isUser(object: { readonly kind: string }): object is User {
  return object.kind === 'source' || object.kind === 'table' || object.kind === 'sink';
}

/** What the engine keeps of the object's options holds the value, sealed. */
function withNewValue(user: User, session: SessionState): DdlAction {
  const { id, connector } = user;
  if (connector === null) throw new Error(`"${user.name}" has no connector`);
  const check = user.kind === 'sink' ? sinkCheck(user, session) : relationCheck(user, session);
  const texts = new OptionSecrets(connector, session).sealedTexts(check);
  return { kind: 'alter_options', id, texts };
}
