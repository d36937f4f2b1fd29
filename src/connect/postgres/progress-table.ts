/**
 * What sinks have delivered, in a table of the target database: a row for each sink with its last epoch and, amid its snapshot,
 * that one's epoch and frames, written in the transaction that delivers all up to there (semantics.md rule 30). A start takes the next `generation`: whoever writes
 * under an older one is fenced.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { SpoolProgress } from '../spool/spool-deliverer.ts';
import type { PostgresClient } from './client.ts';
import { PostgresError } from './postgres-error.ts';
import { quotedTable, type TableName } from './write-statements.ts';

const ALREADY_THERE: ReadonlySet<string | null> = new Set(['42P07', '23505']);

/** Makes the table where it is missing. */
export async function ensureProgressTable(client: PostgresClient, table: TableName): Promise<void> {
  const [row] = await client.query('SELECT to_regclass($1)', [quotedTable(table)]);
  if (row?.[0] !== null) return;
  try {
    await client.query(`CREATE TABLE ${quotedTable(table)} (
      sink uuid NOT NULL, incarnation text NOT NULL, epoch bigint NOT NULL, part_epoch bigint, part_frames bigint, generation bigint NOT NULL,
      delivered_at timestamptz NOT NULL, PRIMARY KEY (sink, incarnation))`);
  } catch (error) {
    // Somebody else made it meanwhile.
    if (error instanceof PostgresError && ALREADY_THERE.has(error.sqlstate)) return;
    throw error;
  }
}

export class SinkProgress {
  readonly #table: string;
  readonly #target: string;
  readonly #owner: readonly [uuid: string, incarnation: string];
  #generation: string | null = null;

  /** `target`: as errors call it. */
  constructor(table: TableName, target: string, uuid: string, incarnation: string) {
    this.#table = quotedTable(table);
    this.#target = target;
    this.#owner = [uuid, incarnation];
  }

  /** Fences whoever wrote before, once their transaction has ended; gives what was delivered. */
  async start(client: PostgresClient): Promise<SpoolProgress> {
    const [row] = await client.query(
      `INSERT INTO ${this.#table} AS p (sink, incarnation, epoch, generation, delivered_at)
       VALUES ($1, $2, 0, 1, now())
       ON CONFLICT (sink, incarnation) DO UPDATE SET generation = p.generation + 1
       RETURNING epoch, generation, part_epoch, part_frames`,
      this.#owner,
    );
    const [epoch = null, generation = null, partEpoch = null, frames = null] = row ?? [];
    this.#generation = generation;
    const part = partEpoch === null ? null : { epoch: Number(partEpoch), frames: Number(frames) };
    return { epoch: Number(epoch), part };
  }

  /** Within the transaction; 55000 for a server that was fenced. */
  async note(client: PostgresClient, { epoch, part }: SpoolProgress): Promise<void> {
    const rows = await client.query(
      `UPDATE ${this.#table} SET epoch = $3, part_epoch = $5, part_frames = $6, delivered_at = now()
       WHERE sink = $1 AND incarnation = $2 AND generation = $4 RETURNING epoch`,
      [...this.#owner, epoch, this.#generation, part?.epoch ?? null, part?.frames ?? null],
    );
    if (rows.length > 0) return;
    throw new SqlError('55000', `another server writes to ${this.#target} for this sink`, {
      hint: 'Two servers run on copies of one data directory: stop one of them, then restart the other.',
    });
  }
}
