/**
 * The README's five minutes, run for real: every statement, in one server, with the kill in the middle; every table that is
 * shown must be what comes; and so for the documents with examples. TOUR_COMPLETE=1 writes the tables into them instead.
 */

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SqlClient } from '../client/sql-client.ts';
import { DEMO_DATA_DIR } from '../demo/demo.ts';
import { polled } from './polled.ts';
import { comparable, type TourStep, tourSteps } from './readme-tour.ts';
import { ServerProcess } from './server-process.ts';

const ROOT = new URL('../../', import.meta.url);
const README = fileURLToPath(new URL('README.md', ROOT));
const isCompleting = process.env.TOUR_COMPLETE === '1';
/** A view over a source that still runs gets there within this time. */
const SHOWN_WITHIN_MS = isCompleting ? 3000 : 20_000;

test('the tour of README.md shows what it says', async () => {
  const readme = readFileSync(README, 'utf8');
  const steps = tourSteps(readme);
  assert.ok(steps.filter((step) => step.kind === 'shown').length >= 8, 'the tour is there');
  const server = await ServerProcess.start();
  let client = await SqlClient.connect(server.url);
  const tables: Shown[] = [];
  try {
    for (const step of steps) {
      if (step.kind === 'restart') {
        await client.close().catch(() => undefined);
        await server.kill();
        await server.restart();
        client = await SqlClient.connect(server.url);
      } else if (step.kind === 'statement') await client.query(step.text);
      else tables.push({ step, table: await shown(client, step) });
    }
    await client.close();
  } finally {
    await server.dispose();
  }
  compareOrComplete(README, readme, tables);
});

for (const name of ['docs/sources.md', 'docs/sql.md']) {
  test(`the statements of ${name} show what it says`, async () => {
    const root = mkdtempSync(join(tmpdir(), 'millrace-docs-'));
    copyFileSync(join(DEMO_DATA_DIR, 'flights.csv.gz'), join(root, 'flights.csv.gz'));
    const server = await ServerProcess.start({ args: ['--file-root', root], dataDir: ':memory:' });
    try {
      const client = await SqlClient.connect(server.url);
      await showsWhatItSays(client, fileURLToPath(new URL(name, ROOT)));
      await client.close();
    } finally {
      await server.dispose();
      rmSync(root, { recursive: true, force: true });
    }
  });
}

async function showsWhatItSays(client: SqlClient, path: string): Promise<void> {
  const text = readFileSync(path, 'utf8');
  const tables: Shown[] = [];
  for (const step of tourSteps(text)) {
    assert.notEqual(step.kind, 'restart');
    if (step.kind === 'statement') await client.query(step.text);
    else if (step.kind === 'shown') tables.push({ step, table: await shown(client, step) });
  }
  assert.ok(tables.length >= 2, 'there are results');
  compareOrComplete(path, text, tables);
}

interface Shown {
  readonly step: TourStep & { kind: 'shown' };
  readonly table: string;
}

function compareOrComplete(path: string, text: string, tables: readonly Shown[]): void {
  if (isCompleting) writeFileSync(path, completed(text, tables));
  else
    for (const { step, table } of tables)
      assert.equal(comparable(table), comparable(step.table), step.text);
}

/** The table that comes; asked again while it is another one than the README's, for a while. */
async function shown(client: SqlClient, step: TourStep & { kind: 'shown' }): Promise<string> {
  const ask = () => client.table(step.text);
  if (step.text.startsWith('FETCH')) return ask();
  const isThere = (table: string) => !isCompleting && comparable(table) === comparable(step.table);
  return polled(ask, isThere, SHOWN_WITHIN_MS);
}

function completed(before: string, tables: readonly Shown[]): string {
  let text = before;
  for (const { step, table } of tables.toReversed()) {
    const trimmed = table.trimEnd().replace(/ +$/gm, '');
    text = `${text.slice(0, step.start)}${trimmed}\n${text.slice(step.end)}`;
  }
  return text;
}
