/** PREPARE, EXECUTE, DEALLOCATE: prepared statements in SQL; the wire's own share their names. */

import { SqlError } from '../../base/sql-error.ts';
import { evaluateValue } from '../../expr/scalar.ts';
import { resolveTypeName } from '../../plan/binder/type-names.ts';
import { planExpression } from '../../plan/planner.ts';
import type { Deallocate, ExecuteStatement, PrepareStatement } from '../../sql/statements.ts';
import type { Value } from '../../types/data-type.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';

export function planPrepare(ast: PrepareStatement, context: HandlerContext): StatementPlan {
  const { session, statement } = context;
  const declaredTypes = ast.types.map((type) => resolveTypeName(type));
  const inner = { ...statement, ast: ast.statement };
  const plan = context.plan(inner, declaredTypes);
  return command(async () => {
    if (session.prepared.has(ast.name)) {
      throw new SqlError('42P05', `prepared statement "${ast.name}" already exists`);
    }
    session.prepared.set(ast.name, {
      name: ast.name,
      statement: inner,
      declaredTypes,
      plan,
      planKey: null,
    });
    return 'PREPARE';
  });
}

export function planExecute(ast: ExecuteStatement, context: HandlerContext): StatementPlan {
  const { session } = context;
  const prepared = session.prepared.get(ast.name);
  if (prepared?.statement == null) {
    throw new SqlError('26000', `prepared statement "${ast.name}" does not exist`);
  }
  const plan = context.plan(prepared.statement, prepared.declaredTypes);
  if (plan.parameterTypes.length !== ast.args.length) {
    throw new SqlError('42601', `wrong number of parameters for prepared statement "${ast.name}"`, {
      detail: `Expected ${plan.parameterTypes.length} parameters but got ${ast.args.length}.`,
    });
  }
  return {
    parameterTypes: [],
    fields: plan.fields,
    run: () => plan.run(argumentValues(ast, plan, context)),
  };
}

function argumentValues(
  ast: ExecuteStatement,
  plan: StatementPlan,
  { session }: HandlerContext,
): Value[] {
  const { database } = session;
  return ast.args.map((arg, index) => {
    const type = plan.parameterTypes[index]!;
    return evaluateValue(planExpression(arg, type, session.plannerContext()), [], {
      settings: session.valueSettings,
      nowUs: session.running.startedUs,
      system: session.environment(),
      random: database.random,
      clock: database.clock,
    });
  });
}

export function planDeallocate(ast: Deallocate, { session }: HandlerContext): StatementPlan {
  return command(async () => {
    if (ast.name === null) {
      session.prepared.clear();
      return 'DEALLOCATE ALL';
    }
    if (!session.prepared.delete(ast.name)) {
      throw new SqlError('26000', `prepared statement "${ast.name}" does not exist`);
    }
    return 'DEALLOCATE';
  });
}
