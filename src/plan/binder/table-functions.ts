/** The output columns of set-returning functions. */

import { notSupported } from '../../base/sql-error.ts';
import type { ResolvedCall } from '../../expr/resolve.ts';
import type { PlanColumn } from '../plan-node.ts';

/** One column named like the function, where it gives plain values. */
export function tableFunctionColumns(resolved: ResolvedCall, name: string): readonly PlanColumn[] {
  if (resolved.type.id !== 'record') return [{ name, type: resolved.type }];
  throw notSupported(`function ${name} in FROM`);
}
