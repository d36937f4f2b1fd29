/**
 * `millrace demo`: real flights played back by event time, the airports beside them, an endless auction site for volume, and
 * views over all of it; made over the server's own SQL port, as any client would.
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SqlError } from '../base/sql-error.ts';
import { SqlClient } from '../client/sql-client.ts';
import { AIRPORTS_TABLE, demoObjects, REPLAY_SPEED } from './objects.ts';
import { KAFKA_TOPICS, kafkaTour, PARTITION_COUNT } from './through-kafka.ts';
import { TOUR, type TourStop } from './tour.ts';

/** The folder with the demo's files: the server must be allowed to read it (`--file-root`). */
export const DEMO_DATA_DIR = fileURLToPath(new URL('./data', import.meta.url));

/** Where the server's SQL port answers, as seen from this process. */
export interface DemoServer {
  readonly host: string;
  readonly port: number;
  readonly password: string | null;
}

/** Creates what is missing, then prints what to look at. `brokers`: Kafka that the flights go through; null: none. */
export async function runDemo(
  { host, port, password }: DemoServer,
  brokers: string | null,
  out: { write(text: string): unknown },
): Promise<void> {
  const address = `${host}:${port}/millrace`;
  const secret = password === null ? '' : `:${encodeURIComponent(password)}`;
  const isNew = await createDemo(`postgres://millrace${secret}@${address}`, brokers);
  out.write(demoText(`postgres://millrace@${address}`, brokers, isNew));
}

/**
 * Creates everything in the server at `url`, and in Kafka; false: it is there already, from an earlier run on the same directory.
 * SqlError where the brokers cannot be used, or are not those of the earlier run.
 */
export async function createDemo(
  url: string,
  brokers: string | null,
  replaySpeed: number = REPLAY_SPEED,
): Promise<boolean> {
  const client = await SqlClient.connect(url);
  try {
    const { rows } = await client.query(
      "SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'delays_per_hour'",
    );
    if (rows.length > 0) {
      if (brokers !== null) await checkBrokers(client, brokers);
      return false;
    }
    if (brokers !== null) {
      // Loaded where it is used: the library is a third of a start.
      const { makeTopics } = await import('../connect/kafka/new-topics.ts');
      await makeTopics(brokers, KAFKA_TOPICS, PARTITION_COUNT);
    }
    await client.query('BEGIN');
    await client.query(AIRPORTS_TABLE);
    await client.query(insertAirports());
    await client.query('COMMIT');
    await client.query('BEGIN');
    for (const statement of demoObjects(replaySpeed, brokers)) await client.query(statement);
    await client.query('COMMIT');
    return true;
  } finally {
    await client.close();
  }
}

async function checkBrokers(client: SqlClient, brokers: string): Promise<void> {
  const { rows } = await client.query('SHOW CREATE SOURCE flights');
  if (rows[0]?.at(-1)?.includes(`'${brokers}'`)) return;
  throw new SqlError('55000', `the demo in this data directory does not use Kafka at ${brokers}`, {
    hint: 'Say what it was created with, or choose another --data-dir.',
  });
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

/** What the text prints to be pasted, in this order. */
export function demoTour(brokers: string | null): readonly TourStop[] {
  return brokers === null ? TOUR : [...TOUR, ...kafkaTour(brokers)];
}

/** What is printed when the demo runs. */
export function demoText(url: string, brokers: string | null, isNew: boolean): string {
  const stops = demoTour(brokers).map(({ about, text, shown }) => {
    const result = shown === null ? '' : `\n${shown.replace(/^/gm, '--   ').trimEnd()}\n`;
    return `-- ${about}:\n${text}\n${result}`;
  });
  return [
    '',
    historyText(brokers, isNew),
    '',
    `  psql ${url}        (or: ${OWN_SHELL} ${url})`,
    '',
    'Paste what follows; the results are those at the end of the history.',
    '',
    ...stops,
    `What each view is made of: \\d+ delays_rolling. ${ENDING[brokers === null ? 'alone' : 'withKafka']}`,
    '',
  ].join('\n');
}

function historyText(brokers: string | null, isNew: boolean): string {
  const topics = KAFKA_TOPICS.join(' and ');
  if (!isNew) {
    const kept = brokers === null ? '' : ` and the topics ${topics}`;
    return `The demo is here from an earlier run; remove its data directory${kept} to play history again.`;
  }
  const seconds = Math.ceil((90 * 86_400) / REPLAY_SPEED);
  const way = brokers === null ? '' : `, by way of Kafka at ${brokers} (topics ${topics})`;
  return `20,000 flights of January to March 2001 are being played back${way}: ${seconds} seconds for the 90 days.`;
}

const ENDING = {
  alone: 'Ctrl-C stops the server; it keeps everything.',
  withKafka: 'Ctrl-C stops the server.',
} as const;
