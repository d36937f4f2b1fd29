/**
 * What one client's part of the database must hold: its tables by row, its views by definition, and its rows of the table
 * that all clients share. States are values: a step makes a new one, so that "wholly there or wholly not" is a choice of two.
 */

export interface RowModel {
  readonly g: number;
  readonly v: number;
}

export type TableModel = ReadonlyMap<number, RowModel>;

export const VIEW_SHAPES = ['groups', 'even', 'top', 'joined', 'stacked'] as const;
export type ViewShape = (typeof VIEW_SHAPES)[number];

export interface ViewModel {
  readonly shape: ViewShape;
  /** The relation that it reads: a table, or for `stacked` a view of shape `groups`. */
  readonly input: string;
}

export interface ClientState {
  readonly tables: ReadonlyMap<string, TableModel>;
  readonly views: ReadonlyMap<string, ViewModel>;
  /** Values of n in the client's rows of `shared`. */
  readonly shared: ReadonlySet<number>;
}

export const EMPTY_STATE: ClientState = { tables: new Map(), views: new Map(), shared: new Set() };

/** A state in the making; what it does not touch it has in common with the state that it came from. */
export class Draft {
  readonly tables: Map<string, TableModel>;
  readonly views: Map<string, ViewModel>;
  #shared: ReadonlySet<number>;

  constructor(from: ClientState) {
    this.tables = new Map(from.tables);
    this.views = new Map(from.views);
    this.#shared = from.shared;
  }

  get shared(): ReadonlySet<number> {
    return this.#shared;
  }

  /** The table's rows, to be changed. */
  rows(table: string): Map<number, RowModel> {
    const rows = new Map(this.tables.get(table));
    this.tables.set(table, rows);
    return rows;
  }

  addShared(numbers: readonly number[]): void {
    this.#shared = new Set([...this.#shared, ...numbers]);
  }

  /** Takes a relation away, with the views that read it. */
  drop(name: string): void {
    this.tables.delete(name);
    this.views.delete(name);
    for (const [view, { input }] of [...this.views]) if (input === name) this.drop(view);
  }

  state(): ClientState {
    return { tables: this.tables, views: this.views, shared: this.#shared };
  }
}

/** The view's query, for CREATE and to be run by itself. */
export function viewQuery({ shape, input }: ViewModel): string {
  switch (shape) {
    case 'groups':
      return `SELECT g, count(*) AS n, sum(v) AS s FROM ${input} GROUP BY g`;
    case 'even':
      return `SELECT id, v FROM ${input} WHERE v % 2 = 0`;
    case 'top':
      return `SELECT id, v FROM ${input} ORDER BY v DESC, id LIMIT 5`;
    case 'joined':
      return `SELECT a.id, b.v FROM ${input} a JOIN ${input} b ON a.g = b.id`;
    case 'stacked':
      return `SELECT n, count(*) AS groups FROM ${input} GROUP BY n`;
  }
}

/** What the view holds in this state: rows of texts, as one sorted list. */
export function viewRows(state: ClientState, view: ViewModel): string[] {
  const table = state.tables.get(view.input) ?? new Map<number, RowModel>();
  switch (view.shape) {
    case 'groups':
      return groups(table).sort();
    case 'even':
      return entries(table, (_, { v }) => v % 2 === 0).sort();
    case 'top':
      return [...table]
        .sort(([a, x], [b, y]) => y.v - x.v || a - b)
        .slice(0, 5)
        .map(([id, { v }]) => `${id},${v}`)
        .sort();
    case 'joined':
      return [...table]
        .filter(([, { g }]) => table.has(g))
        .map(([id, { g }]) => `${id},${table.get(g)?.v}`)
        .sort();
    case 'stacked':
      return stacked(state, view.input).sort();
  }
}

function entries(table: TableModel, isIn: (id: number, row: RowModel) => boolean): string[] {
  return [...table].filter(([id, row]) => isIn(id, row)).map(([id, { v }]) => `${id},${v}`);
}

function groups(table: TableModel): string[] {
  const byGroup = new Map<number, { n: number; s: number }>();
  for (const { g, v } of table.values()) {
    const group = byGroup.get(g) ?? { n: 0, s: 0 };
    byGroup.set(g, { n: group.n + 1, s: group.s + v });
  }
  return [...byGroup].map(([g, { n, s }]) => `${g},${n},${s}`);
}

function stacked(state: ClientState, input: string): string[] {
  const below = state.views.get(input);
  const byCount = new Map<string, number>();
  for (const row of below === undefined ? [] : viewRows(state, below)) {
    const n = row.split(',')[1] ?? '';
    byCount.set(n, (byCount.get(n) ?? 0) + 1);
  }
  return [...byCount].map(([n, count]) => `${n},${count}`);
}

/** A table's rows as a sorted list of texts. */
export function tableRows(table: TableModel): string[] {
  return [...table].map(([id, { g, v }]) => `${id},${g},${v}`).sort();
}
