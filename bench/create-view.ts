/** `bench create-view`: CREATE MATERIALIZED VIEW over an empty table, until it is answered (durable and readable). */

import { countOf, textOf, type Values } from './arguments.ts';
import { Latencies, rounded } from './latencies.ts';
import { MeasuredServer } from './measured-server.ts';
import { Report } from './report.ts';

export const CREATE_VIEW_DEFAULTS = { views: '100', warmup: '20', json: '' };

const COLUMNS = ['case', 'views', 'p50Ms', 'p99Ms', 'maxMs'];

export async function benchCreateView(values: Values): Promise<void> {
  const report = new Report(textOf(values, 'json') || null, COLUMNS);
  const views = countOf(values, 'views');
  const server = await MeasuredServer.start({ isDurable: true });
  try {
    const client = await server.connect();
    await client.query('CREATE TABLE empty (k bigint, v bigint, label text)');
    const latencies = new Latencies();
    const usedBefore = server.usage.cpuSeconds;
    for (let index = -countOf(values, 'warmup'); index < views; index++) {
      const sent = performance.now();
      await client.query(`CREATE MATERIALIZED VIEW one AS
        SELECT label, count(*) AS n, sum(v) AS total FROM empty WHERE k > 0 GROUP BY label`);
      if (index >= 0) latencies.add(performance.now() - sent);
      await client.query('DROP MATERIALIZED VIEW one');
    }
    report.add({
      bench: 'create-view',
      case: 'empty-table',
      durable: true,
      views,
      cpuSeconds: rounded(server.usage.cpuSeconds - usedBefore),
      ...latencies.summary(),
    });
  } finally {
    await server.stop();
  }
}
