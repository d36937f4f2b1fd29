/** Named notation in calls (`make_interval(days => 3)`): the arguments put into the order of the function's parameters. */

import { SqlError } from '../../base/sql-error.ts';
import type { Expr, FunctionArgument, FunctionCall } from '../../sql/ast.ts';

interface Parameters {
  readonly names: readonly string[];
  /** What is left out is 0; otherwise every parameter is needed. */
  readonly isOptional: boolean;
}

/** PostgreSQL's pg_proc.proargnames of the functions that have them. */
const PARAMETERS: ReadonlyMap<string, Parameters> = new Map([
  [
    'make_interval',
    { names: ['years', 'months', 'weeks', 'days', 'hours', 'mins', 'secs'], isOptional: true },
  ],
  ['make_date', { names: ['year', 'month', 'day'], isOptional: false }],
  ['make_time', { names: ['hour', 'min', 'sec'], isOptional: false }],
  ['make_timestamp', { names: ['year', 'month', 'mday', 'hour', 'min', 'sec'], isOptional: false }],
  [
    'make_timestamptz',
    { names: ['year', 'month', 'mday', 'hour', 'min', 'sec', 'timezone'], isOptional: false },
  ],
]);

/** The call's arguments in the order of the parameters. */
export function positionalArguments(name: string, call: FunctionCall): readonly FunctionArgument[] {
  const firstNamed = call.args.findIndex((arg) => arg.name !== null);
  if (firstNamed < 0) return call.args;
  const parameters = PARAMETERS.get(name);
  const placed: (Expr | undefined)[] = call.args.slice(0, firstNamed).map((arg) => arg.value);
  for (const arg of call.args.slice(firstNamed)) {
    if (arg.name === null) {
      throw new SqlError('42601', 'positional argument cannot follow named argument', {
        position: arg.value.position,
      });
    }
    const at = parameters?.names.indexOf(arg.name) ?? -1;
    if (at < 0) throw noSuchFunction(name, call);
    if (placed[at] !== undefined) {
      throw new SqlError('42601', `argument name "${arg.name}" used more than once`, {
        position: arg.value.position,
      });
    }
    placed[at] = arg.value;
  }
  return Array.from({ length: placed.length }, (_, index) => ({
    name: null,
    value: placed[index] ?? leftOut(name, call, parameters?.isOptional === true),
  }));
}

function leftOut(name: string, call: FunctionCall, isOptional: boolean): Expr {
  if (!isOptional) throw noSuchFunction(name, call);
  return { kind: 'literal', position: call.position, type: 'integer', text: '0' };
}

function noSuchFunction(name: string, call: FunctionCall): SqlError {
  const args = call.args
    .map((arg) => (arg.name === null ? '...' : `${arg.name} => ...`))
    .join(', ');
  return new SqlError('42883', `function ${name}(${args}) does not exist`, {
    position: call.position,
    hint: 'No function matches the given name and argument names.',
  });
}
