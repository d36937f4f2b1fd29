/**
 * What views over a table with a watermark must show, computed row by row from semantics.md 13-16, 18 and 24 and sharing no
 * code with the engine. Times are whole seconds. Brute force: every answer goes through all rows.
 */

export interface TimedRow {
  readonly key: number;
  /** Unique. */
  readonly value: number;
  /** null: no time (or an infinite one). */
  readonly time: number | null;
}

export interface ModelCounters {
  rowsIn: number;
  used: number;
  late: number;
  nullTime: number;
}

interface Group {
  readonly key: number;
  readonly start: number;
  readonly end: number;
  readonly rows: readonly TimedRow[];
}

/** One windowing view: takes rows with the watermark they are judged by. */
export interface WindowModel {
  readonly counters: ModelCounters;
  take(row: TimedRow, isInsert: boolean, watermark: number): void;
  /** The watermark moved: what is complete becomes final. */
  advance(watermark: number): void;
  /** `key|start|end|count|sum` of every group that is there, sorted. */
  current(): string[];
  /** Those that are closed: what EMIT ON WINDOW CLOSE shows. */
  final(): string[];
}

/** The table's watermark: the greatest time minus a delay. */
export class ModelTable {
  readonly rows: TimedRow[] = [];
  readonly #views: readonly WindowModel[];
  readonly #delay: number;
  watermark = Number.NEGATIVE_INFINITY;

  constructor(views: readonly WindowModel[], delay: number) {
    this.#views = views;
    this.#delay = delay;
  }

  /** VALUES: each row is judged by the watermark before it. */
  insert(rows: readonly TimedRow[]): void {
    for (const row of rows) {
      this.rows.push(row);
      for (const view of this.#views) view.take(row, true, this.watermark);
      this.#pass(row);
    }
  }

  /** UPDATE and DELETE: judged by the watermark before the statement. */
  change(pick: (row: TimedRow) => boolean, make: ((row: TimedRow) => TimedRow) | null): void {
    const { watermark } = this;
    for (const row of this.rows.filter(pick)) {
      this.rows.splice(this.rows.indexOf(row), 1);
      for (const view of this.#views) view.take(row, false, watermark);
      if (make === null) continue;
      const next = make(row);
      this.rows.push(next);
      for (const view of this.#views) view.take(next, true, watermark);
    }
    for (const row of this.rows) this.#pass(row);
  }

  #pass({ time }: TimedRow): void {
    if (time !== null) this.watermark = Math.max(this.watermark, time - this.#delay);
    for (const view of this.#views) view.advance(this.watermark);
  }
}

function described({ key, start, end, rows }: Group): string {
  const sum = rows.reduce((total, row) => total + row.value, 0);
  return `${key}|${start}|${end}|${rows.length}|${sum}`;
}

function newCounters(): ModelCounters {
  return { rowsIn: 0, used: 0, late: 0, nullTime: 0 };
}

/** Fixed windows: `startsOf` gives the starts of all windows of a time. */
export class FixedWindows implements WindowModel {
  readonly counters = newCounters();
  readonly #size: number;
  readonly #startsOf: (time: number) => readonly number[];
  readonly #assigned: { readonly row: TimedRow; readonly start: number }[] = [];
  #watermark = Number.NEGATIVE_INFINITY;

  constructor(size: number, slide: number) {
    this.#size = size;
    this.#startsOf = (time) => {
      const starts: number[] = [];
      for (let start = Math.floor(time / slide) * slide; start > time - size; start -= slide) {
        starts.push(start);
      }
      return starts;
    };
  }

  take(row: TimedRow, isInsert: boolean, watermark: number): void {
    this.counters.rowsIn++;
    if (row.time === null) {
      this.counters.nullTime++;
      return;
    }
    const starts = this.#startsOf(row.time);
    const open = starts.filter((start) => watermark < start + this.#size);
    if (open.length === 0 && starts.length > 0) this.counters.late++;
    else this.counters.used++;
    for (const start of open) {
      if (isInsert) this.#assigned.push({ row, start });
      else {
        const at = this.#assigned.findIndex(
          (entry) => entry.start === start && entry.row.value === row.value,
        );
        this.#assigned.splice(at, 1);
      }
    }
  }

  advance(watermark: number): void {
    this.#watermark = watermark;
  }

  current(): string[] {
    return this.#groups().map(described).sort();
  }

  final(): string[] {
    return this.#groups()
      .filter(({ end }) => this.#watermark >= end)
      .map(described)
      .sort();
  }

  #groups(): Group[] {
    const groups = new Map<string, TimedRow[]>();
    for (const { row, start } of this.#assigned) {
      const id = `${row.key}|${start}`;
      groups.set(id, [...(groups.get(id) ?? []), row]);
    }
    return [...groups].map(([id, rows]) => {
      const [key, start] = id.split('|').map(Number) as [number, number];
      return { key, start, end: start + this.#size, rows };
    });
  }
}

/** Sessions per key: rows at most `gap` apart share one; judged after merging with the open ones. */
export class SessionWindows implements WindowModel {
  readonly counters = newCounters();
  readonly #gap: number;
  #open: TimedRow[] = [];
  readonly #closed: Group[] = [];

  constructor(gap: number) {
    this.#gap = gap;
  }

  take(row: TimedRow, isInsert: boolean, watermark: number): void {
    this.counters.rowsIn++;
    if (row.time === null) {
      this.counters.nullTime++;
      return;
    }
    const known = this.#open.some(({ value }) => value === row.value);
    const rows = isInsert ? [...this.#open, row] : this.#open;
    const session = this.#sessions(rows).find((group) =>
      group.rows.some(({ value }) => value === row.value),
    );
    if (session === undefined || watermark > session.end || (!isInsert && !known)) {
      this.counters.late++;
      return;
    }
    this.counters.used++;
    this.#open = isInsert ? rows : this.#open.filter(({ value }) => value !== row.value);
  }

  advance(watermark: number): void {
    for (const session of this.#sessions(this.#open)) {
      if (watermark <= session.end) continue;
      this.#closed.push(session);
      this.#open = this.#open.filter((row) => !session.rows.includes(row));
    }
  }

  current(): string[] {
    return [...this.#closed, ...this.#sessions(this.#open)].map(described).sort();
  }

  final(): string[] {
    return this.#closed.map(described).sort();
  }

  #sessions(rows: readonly TimedRow[]): Group[] {
    const sorted = rows.toSorted((a, b) => a.key - b.key || (a.time ?? 0) - (b.time ?? 0));
    const groups: { key: number; start: number; end: number; rows: TimedRow[] }[] = [];
    for (const row of sorted) {
      const time = row.time ?? 0;
      const last = groups.at(-1);
      if (last !== undefined && last.key === row.key && time <= last.end) {
        last.rows.push(row);
        last.end = time + this.#gap;
      } else groups.push({ key: row.key, start: time, end: time + this.#gap, rows: [row] });
    }
    return groups;
  }
}
