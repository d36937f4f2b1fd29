/** The gauges of /metrics that show the engine as it is when they are asked for. */

import type { EngineStatus } from '../dataflow/port.ts';
import type { Database } from './database.ts';

export class EngineGauges {
  readonly #database: Database;
  #epochs = 0;
  #rowsIn = new Map<string, number>();

  constructor(database: Database) {
    this.#database = database;
  }

  async render(): Promise<{ readonly contentType: string; readonly text: string }> {
    const { metrics, engine, sessions } = this.#database;
    this.#set(await engine.status());
    metrics.connections.set(sessions.size);
    return { contentType: metrics.contentType, text: await metrics.render() };
  }

  #set(status: EngineStatus): void {
    const { metrics } = this.#database;
    metrics.publishedEpoch.set(status.epoch);
    metrics.memoryBytes.set({ kind: 'state' }, status.stateBytes);
    metrics.epochs.inc(Math.max(0, status.epochs - this.#epochs));
    this.#epochs = status.epochs;
    for (const source of status.sources) {
      this.#count(source.name, source.rowsRead);
      if (source.lag !== null) metrics.sourceLag.set({ source: source.name }, source.lag);
    }
    for (const job of status.jobs) {
      metrics.freshnessSeconds.set({ view: job.name }, status.lastEpochUs / 1e6);
      for (const [position, operator] of job.operators.entries()) {
        const labels = { view: job.name, operator: `${position}:${operator.name}` };
        metrics.operatorStateBytes.set(labels, operator.bytes);
        metrics.operatorRows.set(labels, operator.rows);
      }
    }
  }

  #count(relation: string, total: number): void {
    const before = this.#rowsIn.get(relation) ?? 0;
    if (total > before) this.#database.metrics.rowsIn.inc({ relation }, total - before);
    this.#rowsIn.set(relation, total);
  }
}
