/** Makes docs/terminal.svg from a real run: `node bench/terminal-picture.ts`. What it shows is what the server answered. */

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SqlClient } from '../src/client/sql-client.ts';
import { ServerProcess } from '../src/testing/server-process.ts';

const PICTURE = fileURLToPath(new URL('../docs/terminal.svg', import.meta.url));
const PROMPT = 'millrace=# ';
const CONTINUED = 'millrace-# ';

/** Typed one after the other; the answer of each is shown below it. */
const TYPED = [
  `CREATE TABLE readings (sensor TEXT, celsius NUMERIC(5,2), ts TIMESTAMP,
  WATERMARK FOR ts AS ts - INTERVAL '1 minute');`,
  `CREATE MATERIALIZED VIEW per_minute AS
SELECT sensor, window_start, count(*) AS n, round(avg(celsius), 2) AS mean
FROM TUMBLE(readings, ts, INTERVAL '1 minute')
GROUP BY sensor, window_start, window_end;`,
  `INSERT INTO readings VALUES ('hall', 20.50, '2026-01-01 08:00:05'),
  ('hall', 21.00, '2026-01-01 08:00:35'), ('hall', 21.75, '2026-01-01 08:01:10');`,
  'SELECT * FROM per_minute ORDER BY window_start;',
  "UPDATE readings SET celsius = 22.00 WHERE ts = '2026-01-01 08:00:35';",
  'SELECT * FROM per_minute ORDER BY window_start;',
];

interface Line {
  readonly text: string;
  readonly isTyped: boolean;
}

async function run(): Promise<Line[]> {
  const server = await ServerProcess.start({ dataDir: ':memory:' });
  const lines: Line[] = [];
  try {
    const client = await SqlClient.connect(server.url);
    for (const text of TYPED) {
      for (const [index, line] of text.split('\n').entries()) {
        lines.push({ text: (index === 0 ? PROMPT : CONTINUED) + line, isTyped: true });
      }
      const answer = await client.answer(text);
      if (isTagWithoutCount(answer)) continue;
      for (const line of answer.split('\n')) lines.push({ text: line, isTyped: false });
    }
    await client.close();
  } finally {
    await server.dispose();
  }
  return lines;
}

/** The driver keeps only the first word of a tag such as CREATE TABLE: left out rather than made up. */
function isTagWithoutCount(answer: string): boolean {
  return /^[A-Z]+$/.test(answer);
}

const CHARACTER_WIDTH = 8.4;
const LINE_HEIGHT = 19;
const MARGIN = 18;
const BAR_HEIGHT = 30;
const COLORS = {
  ground: '#16181d',
  bar: '#262a32',
  typed: '#f2f4f8',
  answer: '#9fd3a8',
  dot: '#4a505c',
};

function picture(lines: readonly Line[]): string {
  const columns = Math.max(...lines.map(({ text }) => text.length));
  const width = Math.ceil(columns * CHARACTER_WIDTH + 2 * MARGIN);
  const height = BAR_HEIGHT + lines.length * LINE_HEIGHT + 2 * MARGIN;
  const texts = lines.map(({ text, isTyped }, index) => {
    const y = BAR_HEIGHT + MARGIN + index * LINE_HEIGHT + 12;
    const color = isTyped ? COLORS.typed : COLORS.answer;
    return `<text x="${MARGIN}" y="${y}" fill="${color}" xml:space="preserve">${escaped(text)}</text>`;
  });
  const dots = [0, 1, 2].map(
    (index) => `<circle cx="${MARGIN + index * 18}" cy="15" r="5" fill="${COLORS.dot}"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    `  role="img" aria-label="A psql session: a view over one-minute windows follows an UPDATE"`,
    `  font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14">`,
    `<rect width="${width}" height="${height}" rx="8" fill="${COLORS.ground}"/>`,
    `<path d="M0 ${BAR_HEIGHT}V8a8 8 0 0 1 8-8h${width - 16}a8 8 0 0 1 8 8v${BAR_HEIGHT - 8}z" fill="${COLORS.bar}"/>`,
    ...dots,
    ...texts,
    '</svg>',
    '',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

writeFileSync(PICTURE, picture(await run()));
