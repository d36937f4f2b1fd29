/**
 * Scopes: which names a query sees. A scope belongs to one FROM clause; its columns are numbered left to right over the
 * whole clause. A name that a scope does not have is looked for in the enclosing query's: a correlated reference.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { rewriteExpr } from '../expr-tree.ts';
import { asOuterReference, outerReference } from '../placeholder.ts';

export interface ScopeColumn {
  readonly name: string;
  /** Over the FROM clause's columns: a plain column, or the COALESCE of a FULL JOIN USING. */
  readonly expr: BoundExpr;
  /** Where the column is one of a relation, for RowDescription. */
  readonly origin: { readonly tableOid: number; readonly attribute: number } | null;
  /** Is not part of `*` (system columns). */
  readonly isHidden?: boolean;
}

export interface ScopeTable {
  readonly alias: string;
  /** Schema and name of a relation that is used without alias. */
  readonly schema: string | null;
  /** The relation's own name where an alias hides it: only messages know it. */
  readonly relationName?: string;
  readonly columns: readonly ScopeColumn[];
  /** false: a join's inner alias that is hidden by the join's own alias. */
  readonly isVisible: boolean;
}

/** What an unqualified name and `*` see, in order; USING columns once, in front. */
export interface VisibleColumn extends ScopeColumn {
  readonly table: string | null;
}

export class Scope {
  readonly id: number;
  readonly parent: Scope | null;
  tables: readonly ScopeTable[] = [];
  visible: readonly VisibleColumn[] = [];

  constructor(id: number, parent: Scope | null) {
    this.id = id;
    this.parent = parent;
  }

  /** The column that `parts` names (`x`, `t.x`, `s.t.x`), here or further out. */
  resolve(parts: readonly string[], position: number): BoundExpr {
    const found = this.#resolveUp(parts, position);
    if (found !== null) return withPosition(found, position);
    throw this.#notFound(parts, position);
  }

  /** The same, or null where there is no such column anywhere. */
  tryResolve(parts: readonly string[], position: number): BoundExpr | null {
    return this.#resolveUp(parts, position);
  }

  /** The column and its origin in this scope alone. */
  findLocal(parts: readonly string[], position: number): ScopeColumn | null {
    if (parts.length === 1) return this.#unqualified(parts[0] as string, position);
    const table = this.#table(parts.slice(0, -1), position);
    return table === null ? null : columnIn(table, parts.at(-1) as string, position);
  }

  /** A table by its alias, here alone. */
  findTable(path: readonly string[], position: number): ScopeTable | null {
    return this.#table(path, position);
  }

  #resolveUp(parts: readonly string[], position: number): BoundExpr | null {
    const local = this.findLocal(parts, position);
    if (local !== null) return local.expr;
    if (parts.length > 1 && this.#table(parts.slice(0, -1), position) !== null) {
      throw columnMissing(parts, position);
    }
    const outer = this.parent?.tryResolve(parts, position) ?? null;
    if (outer === null || this.parent === null) return null;
    return this.#asOuter(outer, this.parent);
  }

  /** Columns of the parent become references to it; references further out stay as they are. */
  #asOuter(expr: BoundExpr, parent: Scope): BoundExpr {
    return rewriteExpr(expr, (part) => {
      if (part.kind === 'column') return outerReference(parent.id, part.index, part.type);
      return asOuterReference(part) === undefined ? part : part;
    });
  }

  #unqualified(name: string, position: number): ScopeColumn | null {
    const matches = this.visible.filter((column) => column.name === name);
    if (matches.length > 1) throw ambiguous(name, position);
    return matches[0] ?? this.#hidden(name, position);
  }

  /** System columns are found by name though `*` leaves them out. */
  #hidden(name: string, position: number): ScopeColumn | null {
    const matches = this.tables.flatMap((table) =>
      table.columns.filter((column) => column.isHidden === true && column.name === name),
    );
    if (matches.length > 1) throw ambiguous(name, position);
    return matches[0] ?? null;
  }

  #table(path: readonly string[], position: number): ScopeTable | null {
    const name = path.at(-1) as string;
    const schema = path.length > 1 ? (path.at(-2) as string) : null;
    const matches = this.tables.filter(
      (table) => table.alias === name && (schema === null || table.schema === schema),
    );
    const visible = matches.filter((table) => table.isVisible);
    if (visible.length > 1) {
      throw new SqlError('42P09', `table reference "${name}" is ambiguous`, { position });
    }
    return visible[0] ?? null;
  }

  #notFound(parts: readonly string[], position: number): SqlError {
    if (parts.length === 1) {
      const name = parts[0] as string;
      const hint = this.#similar(name);
      return new SqlError('42703', `column "${name}" does not exist`, { position, hint });
    }
    const table = parts.at(-2) as string;
    if (!this.#knowsTable(table)) {
      const message = `missing FROM-clause entry for table "${table}"`;
      return new SqlError('42P01', message, { position });
    }
    const message = `invalid reference to FROM-clause entry for table "${table}"`;
    return new SqlError('42P01', message, { position, hint: this.#aliasHint(table) });
  }

  /** Where an alias hides the table's own name. */
  #aliasHint(name: string): string | undefined {
    const hidden = this.tables.find((table) => table.relationName === name && table.alias !== name);
    if (hidden === undefined) return undefined;
    return `Perhaps you meant to reference the table alias "${hidden.alias}".`;
  }

  #knowsTable(name: string): boolean {
    if (this.tables.some((table) => table.alias === name || table.relationName === name))
      return true;
    return this.parent === null ? false : this.parent.#knowsTable(name);
  }

  /** PostgreSQL's hint: a column of that name elsewhere in reach, or one that differs little. */
  #similar(name: string): string | undefined {
    let best: { readonly text: string; readonly distance: number } | null = null;
    for (const table of this.tables) {
      for (const column of table.columns) {
        const distance = editDistance(name, column.name);
        if (distance > Math.max(1, name.length / 2) || distance > 3) continue;
        if (best !== null && best.distance <= distance) continue;
        best = { text: `${table.alias}.${column.name}`, distance };
      }
    }
    if (best === null) return undefined;
    return `Perhaps you meant to reference the column "${best.text}".`;
  }
}

function columnIn(table: ScopeTable, name: string, position: number): ScopeColumn | null {
  const matches = table.columns.filter((column) => column.name === name);
  if (matches.length > 1) throw ambiguous(name, position);
  return matches[0] ?? null;
}

function withPosition(expr: BoundExpr, position: number): BoundExpr {
  return asOuterReference(expr) === undefined ? expr : ({ ...expr, position } as BoundExpr);
}

function ambiguous(name: string, position: number): SqlError {
  return new SqlError('42702', `column reference "${name}" is ambiguous`, { position });
}

function columnMissing(parts: readonly string[], position: number): SqlError {
  const name = parts.slice(-2).join('.');
  return new SqlError('42703', `column ${name} does not exist`, { position });
}

/** Levenshtein's distance, O(a * b). */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const substituted = (previous[j - 1] as number) + cost;
      current.push(
        Math.min(substituted, (previous[j] as number) + 1, (current[j - 1] as number) + 1),
      );
    }
    previous = current;
  }
  return previous[b.length] as number;
}
