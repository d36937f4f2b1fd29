/** What a client does next: a statement or a transaction, chosen at random, with the state that it leads to. */

import type { Random } from '../../base/random.ts';
import { type ClientState, Draft, VIEW_SHAPES, type ViewShape, viewQuery } from './model.ts';

/** A statement with what it does to the model. `copy`: the rows that follow it, as COPY text. */
export interface Statement {
  readonly sql: string;
  readonly copy?: string;
}

export interface Step {
  readonly kind: StepKind;
  readonly statements: readonly Statement[];
  /** The state if it takes effect; its last statement is what makes it so. */
  readonly next: ClientState;
}

const WEIGHTS = {
  insert: 6,
  upsert: 3,
  update: 4,
  delete: 3,
  truncate: 1,
  copy: 3,
  copies: 2,
  shared: 4,
  create_table: 2,
  drop_table: 1,
  create_view: 3,
  drop_view: 2,
  transaction: 4,
  checkpoint: 1,
} as const;

export type StepKind = keyof typeof WEIGHTS;
export const STEP_KINDS = Object.keys(WEIGHTS) as StepKind[];

const TABLES_MAX = 4;
const VIEWS_MAX = 6;
const ROWS_MAX = 3000;
const GROUPS = 12;

/** Makes steps of one client. Names and numbers are never used twice. */
export class StepMaker {
  readonly client: number;
  readonly #random: Random;
  #next = 1;

  constructor(client: number, random: Random) {
    this.client = client;
    this.#random = random;
  }

  /** A step; of the kind `favourite`, where one is given and possible. */
  make(state: ClientState, favourite: StepKind | null): Step {
    const kind = favourite !== null && this.#random.chance(0.7) ? favourite : this.#anyKind();
    const draft = new Draft(state);
    const statements = this.#statements(kind, draft);
    if (statements !== null) return { kind, statements, next: draft.state() };
    return this.make(state, null);
  }

  #anyKind(): StepKind {
    const total = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);
    let at = this.#random.below(total);
    for (const kind of STEP_KINDS) {
      at -= WEIGHTS[kind];
      if (at < 0) return kind;
    }
    return 'insert';
  }

  /** null: not possible in this state. */
  #statements(kind: StepKind, draft: Draft): Statement[] | null {
    switch (kind) {
      case 'create_table':
        return draft.tables.size < TABLES_MAX ? this.#createTable(draft) : null;
      case 'create_view':
        return draft.views.size < VIEWS_MAX ? this.#createView(draft) : null;
      case 'drop_view':
        return this.#dropView(draft);
      case 'shared':
        return this.#insertShared(draft);
      case 'checkpoint':
        return [{ sql: 'CHECKPOINT' }];
      case 'transaction':
        return this.#transaction(draft);
      default:
        return this.#changeTable(kind, draft);
    }
  }

  #changeTable(kind: StepKind, draft: Draft): Statement[] | null {
    if (draft.tables.size === 0) return null;
    const table = this.#random.pick([...draft.tables.keys()]);
    switch (kind) {
      case 'insert':
        return this.#insert(draft, table, this.#random.between(1, 40));
      case 'upsert':
        return this.#upsert(draft, table);
      case 'update':
        return this.#update(draft, table);
      case 'delete':
        return this.#delete(draft, table);
      case 'copy':
        return this.#copy(draft, table);
      case 'copies':
        return this.#insertSelect(draft, table);
      case 'truncate':
        draft.rows(table).clear();
        return [{ sql: `TRUNCATE ${table}` }];
      default:
        draft.drop(table);
        return [{ sql: `DROP TABLE ${table} CASCADE` }];
    }
  }

  #newRows(draft: Draft, table: string, count: number): string[][] {
    const rows = draft.rows(table);
    return Array.from({ length: count }, () => {
      const id = this.#next++;
      const row = { g: this.#random.below(GROUPS), v: this.#random.below(1000) };
      rows.set(id, row);
      return [String(id), String(row.g), String(row.v)];
    });
  }

  #insert(draft: Draft, table: string, count: number): Statement[] {
    const rows = this.#newRows(draft, table, count).map((row) => `(${row.join(', ')})`);
    return [{ sql: `INSERT INTO ${table} VALUES ${rows.join(', ')}` }];
  }

  #copy(draft: Draft, table: string): Statement[] {
    const rows = this.#newRows(draft, table, this.#random.between(1, 800));
    const copy = rows.map((row) => `${row.join('\t')}\n`).join('');
    return [{ sql: `COPY ${table} FROM STDIN`, copy }];
  }

  #upsert(draft: Draft, table: string): Statement[] | null {
    const ids = [...(draft.tables.get(table)?.keys() ?? [])];
    if (ids.length === 0) return null;
    const rows = draft.rows(table);
    const chosen = [...new Set([this.#random.pick(ids), this.#random.pick(ids), this.#next++])];
    const values = chosen.map((id) => {
      const row = { g: this.#random.below(GROUPS), v: this.#random.below(1000) };
      rows.set(id, { g: rows.get(id)?.g ?? row.g, v: row.v });
      return `(${id}, ${row.g}, ${row.v})`;
    });
    const sql = `INSERT INTO ${table} VALUES ${values.join(', ')} ON CONFLICT (id) DO UPDATE SET v = excluded.v`;
    return [{ sql }];
  }

  #update(draft: Draft, table: string): Statement[] {
    const g = this.#random.below(GROUPS);
    const rows = draft.rows(table);
    for (const [id, row] of rows) if (row.g === g) rows.set(id, { g, v: row.v + 1 });
    return [{ sql: `UPDATE ${table} SET v = v + 1 WHERE g = ${g}` }];
  }

  #delete(draft: Draft, table: string): Statement[] {
    const divisor = this.#random.between(3, 9);
    const rows = draft.rows(table);
    for (const id of [...rows.keys()]) if (id % divisor === 0) rows.delete(id);
    return [{ sql: `DELETE FROM ${table} WHERE id % ${divisor} = 0` }];
  }

  /** The table's rows once more, under new numbers. */
  #insertSelect(draft: Draft, table: string): Statement[] | null {
    const rows = draft.rows(table);
    if (rows.size === 0 || rows.size > ROWS_MAX) return null;
    const distance = this.#next;
    const inOrder = [...rows].sort(([a], [b]) => a - b);
    inOrder.forEach(([, row], i) => {
      rows.set(distance + i + 1, row);
    });
    this.#next += inOrder.length + 1;
    const numbered = `row_number() OVER (ORDER BY id) + ${distance}`;
    return [{ sql: `INSERT INTO ${table} SELECT ${numbered}, g, v FROM ${table}` }];
  }

  #insertShared(draft: Draft): Statement[] {
    const numbers = Array.from({ length: this.#random.between(1, 5) }, () => this.#next++);
    draft.addShared(numbers);
    const values = numbers.map((n) => `(${this.client}, ${n})`);
    return [{ sql: `INSERT INTO shared VALUES ${values.join(', ')}` }];
  }

  #createTable(draft: Draft): Statement[] {
    const table = `c${this.client}_t${this.#next++}`;
    draft.rows(table);
    return [{ sql: `CREATE TABLE ${table} (id int PRIMARY KEY, g int, v bigint)` }];
  }

  #createView(draft: Draft): Statement[] | null {
    const shape: ViewShape = this.#random.pick(VIEW_SHAPES);
    const inputs =
      shape === 'stacked'
        ? [...draft.views].filter(([, view]) => view.shape === 'groups').map(([name]) => name)
        : [...draft.tables.keys()];
    if (inputs.length === 0) return null;
    const view = { shape, input: this.#random.pick(inputs) };
    const name = `c${this.client}_v${this.#next++}_${shape}`;
    draft.views.set(name, view);
    return [{ sql: `CREATE MATERIALIZED VIEW ${name} AS ${viewQuery(view)}` }];
  }

  #dropView(draft: Draft): Statement[] | null {
    if (draft.views.size === 0) return null;
    const view = this.#random.pick([...draft.views.keys()]);
    draft.drop(view);
    return [{ sql: `DROP MATERIALIZED VIEW ${view} CASCADE` }];
  }

  /** Several statements, DDL among them, that take effect together; some are rolled back. */
  #transaction(draft: Draft): Statement[] | null {
    const isCommitted = this.#random.chance(0.8);
    const inner = isCommitted ? draft : new Draft(draft.state());
    const statements: Statement[] = [{ sql: 'BEGIN' }];
    for (let count = this.#random.between(2, 5); count > 0; count--) {
      const kind = this.#anyKind();
      if (kind !== 'transaction' && kind !== 'checkpoint')
        statements.push(...(this.#statements(kind, inner) ?? []));
    }
    statements.push({ sql: isCommitted ? 'COMMIT' : 'ROLLBACK' });
    return statements.length > 2 ? statements : null;
  }
}
