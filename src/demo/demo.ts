/**
 * `millrace demo`: real flights played back by event time, the airports beside them, an endless auction site for volume, and
 * views over all of it; made over the server's own SQL port, as any client would.
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SqlClient } from '../client/sql-client.ts';
import { AIRPORTS_TABLE, demoObjects, REPLAY_SPEED } from './objects.ts';
import { TOUR } from './tour.ts';

/** The folder with the demo's files: the server must be allowed to read it (`--file-root`). */
export const DEMO_DATA_DIR = fileURLToPath(new URL('./data', import.meta.url));

/** Where the server's SQL port answers, as seen from this process. */
export interface DemoServer {
  readonly host: string;
  readonly port: number;
  readonly password: string | null;
}

/** Creates what is missing, then prints what to look at. */
export async function runDemo(
  { host, port, password }: DemoServer,
  out: { write(text: string): unknown },
): Promise<void> {
  const address = `${host}:${port}/millrace`;
  const secret = password === null ? '' : `:${encodeURIComponent(password)}`;
  const isNew = await createDemo(`postgres://millrace${secret}@${address}`);
  out.write(demoText(`postgres://millrace@${address}`, isNew));
}

/** Creates everything in the server at `url`; false: it is there already, from an earlier run on the same directory. */
export async function createDemo(
  url: string,
  replaySpeed: number = REPLAY_SPEED,
): Promise<boolean> {
  const client = await SqlClient.connect(url);
  try {
    const { rows } = await client.query(
      "SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'delays_per_hour'",
    );
    if (rows.length > 0) return false;
    await client.query('BEGIN');
    await client.query(AIRPORTS_TABLE);
    await client.query(insertAirports());
    await client.query('COMMIT');
    await client.query('BEGIN');
    for (const statement of demoObjects(replaySpeed)) await client.query(statement);
    await client.query('COMMIT');
    return true;
  } finally {
    await client.close();
  }
}

function insertAirports(): string {
  const lines = readFileSync(`${DEMO_DATA_DIR}/airports.csv`, 'utf8').trimEnd().split('\n');
  const rows = lines.slice(1).map((line) => `(${csvFields(line).map(literal).join(', ')})`);
  return `INSERT INTO airports VALUES ${rows.join(',\n')}`;
}

/** The fields of one line without line breaks in quotes. */
function csvFields(line: string): string[] {
  return [...line.matchAll(/(?:"((?:[^"]|"")*)"|([^",]*))(?:,|$)/g)]
    .slice(0, 7)
    .map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Our own shell, as it is called from a checkout or from the installed package. */
const OWN_SHELL = import.meta.url.endsWith('.ts') ? 'npm start -- sql' : 'npx millrace sql';

/** What is printed when the demo runs. */
export function demoText(url: string, isNew: boolean): string {
  const seconds = Math.ceil((90 * 86_400) / REPLAY_SPEED);
  const history = isNew
    ? `20,000 flights of January to March 2001 are being played back: ${seconds} seconds for the 90 days.`
    : 'The demo is here from an earlier run; remove its data directory to play history again.';
  const stops = TOUR.map(({ about, text, shown }) => {
    const result = shown === null ? '' : `\n${shown.replace(/^/gm, '--   ').trimEnd()}\n`;
    return `-- ${about}:\n${text}\n${result}`;
  });
  return [
    '',
    history,
    '',
    `  psql ${url}        (or: ${OWN_SHELL} ${url})`,
    '',
    'Paste what follows; the results are those at the end of the history.',
    '',
    ...stops,
    'What each view is made of: \\d+ delays_rolling. Ctrl-C stops the server; it keeps everything.',
    '',
  ].join('\n');
}
