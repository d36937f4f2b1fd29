/** Whether a function of PostgreSQL's can be called here: the rows of pg_proc. */

import { SqlError } from '../base/sql-error.ts';
import { resolveFunction } from '../expr/resolve.ts';
import { arrayOf, type DataType, INT4, TEXT, typeByOid } from '../types/data-type.ts';

/** Types that a call may bring for the polymorphic ones. */
const INSTEAD: ReadonlyMap<number, DataType | undefined> = new Map([
  [2276, TEXT],
  [2277, arrayOf(INT4)],
  [2283, INT4],
  [2776, INT4],
  [5077, INT4],
  [5078, arrayOf(INT4)],
  [5079, INT4],
]);

/** What the binder takes without a function of that name. */
const BOUND_BY_NAME: ReadonlySet<string> = new Set([
  'now',
  'statement_timestamp',
  'transaction_timestamp',
]);

/** `argTypes` are OIDs, polymorphic ones too. */
export function isCallable(name: string, argTypes: readonly number[]): boolean {
  if (BOUND_BY_NAME.has(name)) return true;
  const types = argTypes.map((oid) => INSTEAD.get(oid) ?? typeByOid(oid));
  const known = types.filter((type) => type !== undefined);
  if (known.length < types.length) return false;
  try {
    return resolveFunction(name, known).definition.isVisible;
  } catch (error) {
    if (error instanceof SqlError) return false;
    throw error;
  }
}
