/** Whether the services can be started on this machine. */

import { missingCommands } from './debian.ts';
import { postgresProblem } from './postgres.ts';

/** Why a service cannot be started here, in a line; null: it can. */
export function startProblem(name: string): string | null {
  const missing = name === 'postgres' ? [] : missingCommands();
  const needsPostgres = name === 'postgres' || name === 'debezium';
  const problem =
    missing.length > 0
      ? `missing: ${missing.join(', ')}`
      : needsPostgres
        ? postgresProblem()
        : null;
  return problem === null ? null : `${name} cannot be started here: ${problem}`;
}
