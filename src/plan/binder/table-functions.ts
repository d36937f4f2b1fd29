/** The output columns of set-returning functions, and which names are such. */

import { functionsNamed } from '../../expr/registry.ts';
import type { ResolvedCall } from '../../expr/resolve.ts';
import { tableFunctionColumns as columnsOfFunction } from '../../expr/table-functions.ts';
import type { PlanColumn } from '../plan-node.ts';

export function tableFunctionColumns(resolved: ResolvedCall): readonly PlanColumn[] {
  return columnsOfFunction(resolved.id, resolved.argTypes, resolved.type);
}

export function isTableFunctionName(name: string): boolean {
  return functionsNamed(name).some((definition) => definition.kind === 'table');
}
