/** Turns `--json` files into the Markdown tables of docs/performance.md: `node bench/table.ts FILE...`. */

import { readFileSync } from 'node:fs';

type Line = Readonly<Record<string, string | number | boolean | null>>;

/** Figures by bench: JSON name, heading, and how it is shown. */
const TABLES: Readonly<
  Record<string, readonly (readonly [string, string, (value: number) => string])[]>
> = {
  nexmark: [
    ['sink', 'result', String],
    ['events', 'events', millions],
    ['wallSeconds', 'seconds', fixed],
    ['cpuSeconds', 'CPU s', fixed],
    ['generatorCpuSeconds', 'of that generator', fixed],
    ['eventsPerSecond', 'events/s', thousands],
    ['eventsPerBusyCore', 'events/s per busy core', thousands],
    ['stateBytes', 'state', mebibytes],
    ['peakRssBytes', 'peak memory', mebibytes],
    ['resultRows', 'rows', grouped],
    ['checkedAgainst', 'checked against', String],
  ],
  freshness: [
    ['eventsPerSecond', 'events/s beside', grouped],
    ['probes', 'probes', grouped],
    ...latencyColumns(),
  ],
  'point-reads': [
    ['connections', 'connections', grouped],
    ['readsPerSecond', 'reads/s', grouped],
    ['readsPerBusyCore', 'reads/s per busy core', grouped],
    ...latencyColumns(),
  ],
  restart: [
    ['groups', 'groups', grouped],
    ['readyMs', 'ready, ms', grouped],
    ['readableMs', 'readable, ms', grouped],
    ['rssOverIdleBytes', 'memory over idle', mebibytes],
    ['settledOverIdleBytes', 'after the checkpoint', mebibytes],
    ['peakOverIdleBytes', 'peak over idle', mebibytes],
  ],
  'create-view': [['views', 'views', grouped], ...latencyColumns()],
};

function latencyColumns(): (readonly [string, string, (value: number) => string])[] {
  return [
    ['p50Ms', 'p50, ms', fixed],
    ['p99Ms', 'p99, ms', fixed],
    ['p999Ms', 'p99.9, ms', fixed],
    ['maxMs', 'max, ms', fixed],
  ];
}

function fixed(value: number): string {
  return value.toFixed(2);
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function thousands(value: number): string {
  return `${grouped(value / 1000)} K`;
}

function millions(value: number): string {
  return `${value / 1e6} M`;
}

function mebibytes(value: number): string {
  return `${grouped(value / 2 ** 20)} MiB`;
}

const records = process.argv
  .slice(2)
  .flatMap((file) => readFileSync(file, 'utf8').trimEnd().split('\n'))
  .map((line) => JSON.parse(line) as Line);

for (const [bench, columns] of Object.entries(TABLES)) {
  const own = records.filter((record) => record.bench === bench);
  if (own.length === 0) continue;
  const rows = own.map((record) => [
    String(record.case),
    ...columns.map(([name, , show]) => {
      const value = record[name];
      return value === null || value === undefined ? '-' : show(value as number);
    }),
  ]);
  const head = ['case', ...columns.map(([, heading]) => heading)];
  const lines = [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows];
  process.stdout.write(`\n${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`);
}
