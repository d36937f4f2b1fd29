/**
 * What views over a table with a watermark must show, computed row by row from semantics.md 13-16, 18 and 24 and sharing no
 * code with the engine. Times are whole seconds. Brute force: every answer goes through all rows.
 */

export interface TimedRow {
  readonly key: number;
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
  /** The watermark moved, or a statement has ended: what is complete becomes final. */
  advance(watermark: number): void;
  /** The transaction has committed. */
  endEpoch(watermark: number): void;
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
      this.#put(row, this.watermark);
      this.#pass([row]);
    }
  }

  /** INSERT ... SELECT: judged by the watermark before the statement. */
  insertTogether(rows: readonly TimedRow[]): void {
    const { watermark } = this;
    for (const row of rows) this.#put(row, watermark);
    this.#pass(rows);
  }

  /** DELETE, and UPDATE with the new rows: first what goes, then what comes, all judged by the watermark before the statement. */
  change(gone: readonly TimedRow[], come: readonly TimedRow[]): void {
    const { watermark } = this;
    for (const row of gone) {
      this.rows.splice(this.rows.indexOf(row), 1);
      for (const view of this.#views) view.take(row, false, watermark);
    }
    for (const row of come) this.#put(row, watermark);
    this.#pass(come);
  }

  endEpoch(): void {
    for (const view of this.#views) view.endEpoch(this.watermark);
  }

  #put(row: TimedRow, watermark: number): void {
    this.rows.push(row);
    for (const view of this.#views) view.take(row, true, watermark);
  }

  #pass(rows: readonly TimedRow[]): void {
    for (const { time } of rows) {
      if (time !== null) this.watermark = Math.max(this.watermark, time - this.#delay);
    }
    for (const view of this.#views) view.advance(this.watermark);
  }
}

/** Whether a view cannot tell the rows from each other. */
function isSame(a: TimedRow, b: TimedRow): boolean {
  return a.key === b.key && a.value === b.value && a.time === b.time;
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
          (entry) => entry.start === start && isSame(entry.row, row),
        );
        this.#assigned.splice(at, 1);
      }
    }
  }

  advance(watermark: number): void {
    this.#watermark = watermark;
  }

  endEpoch(): void {}

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

/**
 * Sessions per key: rows at most `gap` apart share one; judged after merging with the open ones. What is closed stays as it
 * is, and a session grows back to four gaps behind the watermark at most (docs/decisions/023).
 */
export class SessionWindows implements WindowModel {
  readonly counters = newCounters();
  readonly #gap: number;
  #open: TimedRow[] = [];
  /** What the running statement took back: it holds its session together for the statement's other rows. */
  #gone: TimedRow[] = [];
  readonly #closed: Group[] = [];
  #reached = Number.NEGATIVE_INFINITY;
  /** An open session has grown back beyond the output's watermark: a piece of it may be late for windows above. */
  hasGrownBack = false;

  constructor(gap: number) {
    this.#gap = gap;
  }

  take(row: TimedRow, isInsert: boolean, watermark: number): void {
    this.counters.rowsIn++;
    if (row.time === null) {
      this.counters.nullTime++;
      return;
    }
    if (isInsert) this.#insert(row, row.time, watermark);
    else this.#retract(row);
  }

  #insert(row: TimedRow, time: number, watermark: number): void {
    const sessions = this.#sessions([...this.#open, ...this.#gone, row]);
    const joined = sessions.find(({ rows }) => rows.includes(row));
    if (joined === undefined || watermark > joined.end || this.#isOver(row, time, watermark)) {
      this.counters.late++;
      return;
    }
    this.counters.used++;
    this.#open.push(row);
    if (time + this.#gap < this.#reached) this.hasGrownBack = true;
  }

  #isOver({ key }: TimedRow, time: number, watermark: number): boolean {
    const follows = [...this.#open, ...this.#gone].some((held) => {
      const after = time - (held.time ?? 0);
      return held.key === key && after >= 0 && after <= this.#gap;
    });
    if (!follows && watermark > time + 4 * this.#gap) return true;
    return this.#closed.some((session) => session.key === key && time <= session.end);
  }

  #retract(row: TimedRow): void {
    const at = this.#open.findIndex((held) => isSame(held, row));
    if (at < 0) {
      this.counters.late++;
      return;
    }
    this.counters.used++;
    this.#gone.push(...this.#open.splice(at, 1));
  }

  advance(watermark: number): void {
    this.#gone = [];
    for (const session of this.#sessions(this.#open)) {
      if (watermark <= session.end) continue;
      this.#closed.push(session);
      this.#open = this.#open.filter((row) => !session.rows.includes(row));
    }
  }

  endEpoch(watermark: number): void {
    const ends = this.#open.map(({ time }) => (time ?? 0) + this.#gap);
    this.#reached = Math.max(this.#reached, Math.min(watermark, ...ends));
  }

  /** `start|end|count|sum` of tumbling windows over the rows by the last instant of their sessions, sorted. */
  tumbled(size: number, isFinal: boolean): string[] {
    const windows = new Map<number, { count: number; sum: number }>();
    const sessions = isFinal ? this.#closed : [...this.#closed, ...this.#sessions(this.#open)];
    for (const { end, rows } of sessions) {
      const start = Math.floor((end - 1e-6) / size) * size;
      const window = windows.get(start) ?? { count: 0, sum: 0 };
      window.count += rows.length;
      window.sum += rows.reduce((total, row) => total + row.value, 0);
      windows.set(start, window);
    }
    return [...windows]
      .map(([start, { count, sum }]) => `${start}|${start + size}|${count}|${sum}`)
      .sort();
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
