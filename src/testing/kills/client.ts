/**
 * A client that works on its own tables until the server is gone, and remembers what was acknowledged. A step whose answer
 * never came is in doubt: after the restart the database decides which of the two states holds.
 */

import assert from 'node:assert/strict';
import type { Random } from '../../base/random.ts';
import { SqlClient, serverError } from '../sql-client.ts';
import { type ClientState, EMPTY_STATE, tableRows, viewRows } from './model.ts';
import { type Step, type StepKind, StepMaker } from './steps.ts';

const DEADLOCK = '40P01';

export interface WorkOrders {
  /** Which steps are wanted above others. */
  readonly favourite: StepKind | null;
  /** Told each step as it goes out. */
  onSend(kind: StepKind): void;
  /** Asked before each step. */
  isOver(): boolean;
}

export class KillClient {
  readonly index: number;
  readonly #maker: StepMaker;
  #state: ClientState = EMPTY_STATE;
  #inDoubt: Step | null = null;
  #acknowledged = 0;

  constructor(index: number, random: Random) {
    this.index = index;
    this.#maker = new StepMaker(index, random);
  }

  /** Steps that the server said were done. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Works until the orders end it or the connection breaks. Throws where the server refuses a step. */
  async work(url: string, { favourite, onSend, isOver }: WorkOrders): Promise<void> {
    let connection: SqlClient;
    try {
      connection = await SqlClient.connect(url);
    } catch {
      return;
    }
    while (!isOver()) {
      const step = this.#maker.make(this.#state, favourite);
      onSend(step.kind);
      try {
        await this.#send(connection, step);
      } catch (error) {
        const known = serverError(error);
        // 57P01: the server was told to stop.
        if (known === null || known.code === '57P01') return;
        if (known.code === DEADLOCK && (await this.#rollBack(connection))) continue;
        const texts = step.statements.map(({ sql }) => sql.slice(0, 500)).join('; ');
        throw new Error(`client ${this.index}: ${known.code} ${known.message}\n${texts}`);
      }
      this.#state = step.next;
      this.#inDoubt = null;
      this.#acknowledged += 1;
    }
    await connection.close();
  }

  /** A transaction that lost a deadlock leaves nothing. False: the connection is gone. */
  async #rollBack(connection: SqlClient): Promise<boolean> {
    this.#inDoubt = null;
    return await connection.query('ROLLBACK').then(
      () => true,
      () => false,
    );
  }

  async #send(connection: SqlClient, { statements, next }: Step): Promise<void> {
    for (const [i, { sql, copy }] of statements.entries()) {
      // Before its last statement goes out, a step cannot have taken effect.
      if (i === statements.length - 1) this.#inDoubt = { kind: 'insert', statements, next };
      if (copy === undefined) await connection.query(sql);
      else await connection.copyIn(sql, copy);
    }
  }

  /** Compares what the database holds with the model; settles what was in doubt. */
  async check(connection: SqlClient): Promise<void> {
    const found = await observe(connection, this.index);
    const before = describeState(this.#state);
    const candidates: [ClientState, string][] = [[this.#state, before]];
    const doubtful = this.#inDoubt;
    if (doubtful !== null) candidates.push([doubtful.next, describeState(doubtful.next)]);
    const match = candidates.find(([, text]) => text === found);
    if (match === undefined) {
      const step = doubtful?.statements.map(({ sql }) => sql.slice(0, 300)).join('; ') ?? 'nothing';
      const after =
        candidates[1] === undefined ? '' : `\nor: ${difference(candidates[1][1], found)}`;
      assert.fail(
        `client ${this.index} (in doubt: ${step}):\n${difference(before, found)}${after}`,
      );
    }
    this.#state = match[0];
    this.#inDoubt = null;
  }
}

/** What there is of a client's relations and rows, in the form of `describeState`. */
async function observe(connection: SqlClient, client: number): Promise<string> {
  const lines: string[] = [];
  const names = async (kind: string) => {
    const { rows } = await connection.query(`SHOW ${kind}`);
    return rows.map((row) => row[1] ?? '').filter((name) => name.startsWith(`c${client}_`));
  };
  for (const name of [...(await names('TABLES')), ...(await names('MATERIALIZED VIEWS'))]) {
    const { rows } = await connection.query(`SELECT * FROM ${name}`);
    lines.push(describeRelation(name, rows.map((row) => row.join(',')).sort()));
  }
  const shared = await connection.query(`SELECT n FROM shared WHERE client = ${client}`);
  const numbers = shared.rows.map(([n]) => n ?? '');
  lines.push(describeRelation('shared', numbers.sort()));
  return lines.sort().join('\n');
}

function describeState(state: ClientState): string {
  const lines = [...state.tables].map(([name, rows]) => describeRelation(name, tableRows(rows)));
  for (const [name, view] of state.views) lines.push(describeRelation(name, viewRows(state, view)));
  lines.push(describeRelation('shared', [...state.shared].map(String).sort()));
  return lines.sort().join('\n');
}

function describeRelation(name: string, rows: readonly string[]): string {
  return `${name}: ${rows.join(' ')}`;
}

/** Where two descriptions differ, relation by relation. */
function difference(expected: string, found: string): string {
  const relations = (text: string) =>
    new Map(text.split('\n').map((line) => line.split(': ', 2) as [string, string]));
  const [want, got] = [relations(expected), relations(found)];
  const lines: string[] = [];
  for (const name of new Set([...want.keys(), ...got.keys()])) {
    const [a, b] = [want.get(name), got.get(name)];
    if (a === b) continue;
    if (a === undefined || b === undefined)
      lines.push(`${name}: ${a === undefined ? 'must not be there' : 'is missing'}`);
    else lines.push(`${name}: ${rowDifference(a.split(' '), b.split(' '))}`);
  }
  return lines.join('\n');
}

function rowDifference(expected: readonly string[], found: readonly string[]): string {
  const [want, got] = [new Set(expected), new Set(found)];
  const missing = expected.filter((row) => !got.has(row));
  const extra = found.filter((row) => !want.has(row));
  const some = (rows: readonly string[]) => rows.slice(0, 8).join(' ');
  return `${expected.length} rows expected, ${found.length} found; ${missing.length} missing: ${some(missing)}; ${extra.length} too many: ${some(extra)}`;
}
