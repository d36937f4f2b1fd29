/** DROP: what goes with an object (CASCADE), or who forbids it (RESTRICT, 2BP01), in PostgreSQL's words. */

import { SqlError } from '../base/sql-error.ts';
import type { Catalog, CatalogChange } from './catalog.ts';
import { type CatalogObject, kindName } from './objects.ts';

export interface DropResult {
  readonly change: CatalogChange;
  /** Everything that goes, dependents before what they need. */
  readonly dropped: readonly CatalogObject[];
  /** NOTICE of a cascade; null: nothing but the targets went. */
  readonly notice: { readonly message: string; readonly detail: string | null } | null;
}

/** PostgreSQL lists at most this many objects in a message to the client. */
const LISTED_MAX = 100;

/** The change that drops `targets` (objects of `catalog`). */
export function dropObjects(
  catalog: Catalog,
  targets: readonly CatalogObject[],
  behavior: 'restrict' | 'cascade',
  searchPath: readonly string[],
): DropResult {
  const targetIds = new Set(targets.map((target) => target.id));
  const order: CatalogObject[] = [];
  const reasons: string[] = [];
  const names: string[] = [];
  const seen = new Set<number>();
  const visit = (object: CatalogObject): void => {
    if (seen.has(object.id)) return;
    seen.add(object.id);
    for (const dependent of catalog.directDependents(object.id)) {
      if (seen.has(dependent.id)) continue;
      if (!targetIds.has(dependent.id) && dependent.kind !== 'index') {
        const name = describe(catalog, dependent, searchPath);
        reasons.push(`${name} depends on ${describe(catalog, object, searchPath)}`);
        names.push(name);
      }
      visit(dependent);
    }
    order.push(object);
  };
  for (const target of targets) visit(target);
  if (behavior === 'restrict' && reasons.length > 0) {
    throw restricted(catalog, targets, reasons, searchPath);
  }
  const change = { puts: [], removes: order.map((object) => object.id), nextId: catalog.nextId };
  return { change, dropped: order, notice: cascadeNotice(names) };
}

function restricted(
  catalog: Catalog,
  targets: readonly CatalogObject[],
  reasons: readonly string[],
  searchPath: readonly string[],
): SqlError {
  const first = targets[0];
  const what =
    targets.length === 1 && first !== undefined
      ? describe(catalog, first, searchPath)
      : 'desired object(s)';
  return new SqlError(
    '2BP01',
    `cannot drop ${what} because other objects depend on ${targets.length === 1 ? 'it' : 'them'}`,
    {
      detail: listed(reasons),
      hint: 'Use DROP ... CASCADE to drop the dependent objects too.',
    },
  );
}

function cascadeNotice(names: readonly string[]): DropResult['notice'] {
  if (names.length === 0) return null;
  if (names.length === 1) return { message: `drop cascades to ${names[0]}`, detail: null };
  const lines = names.map((name) => `drop cascades to ${name}`);
  return { message: `drop cascades to ${names.length} other objects`, detail: listed(lines) };
}

function listed(lines: readonly string[]): string {
  if (lines.length <= LISTED_MAX) return lines.join('\n');
  const more = lines.length - LISTED_MAX;
  const rest = `and ${more} other object${more === 1 ? '' : 's'} (see server log for list)`;
  return [...lines.slice(0, LISTED_MAX), rest].join('\n');
}

/** `table t`, or `table s.t` where the path does not lead to it. */
export function describe(
  catalog: Catalog,
  object: CatalogObject,
  searchPath: readonly string[],
): string {
  if (object.kind === 'secret') return `secret ${quoteIdentifier(object.name)}`;
  if (object.kind === 'schema') return `schema ${quoteIdentifier(object.name)}`;
  const found = catalog.findRelation({ schema: null, name: object.name }, searchPath);
  const isVisible = found !== undefined && found.kind !== 'system' && found.id === object.id;
  const name = quoteIdentifier(object.name);
  if (isVisible) return `${kindName(object)} ${name}`;
  return `${kindName(object)} ${quoteIdentifier(catalog.schemaName(object))}.${name}`;
}

/** quote_ident without the list of keywords: messages name objects, they are not run. */
export function quoteIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
