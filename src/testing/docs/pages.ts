/** Every page of the documentation with SQL in it, and where its examples are run: pages.test.ts checks that none is missing. */

import { globSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Outside, PageServer } from './page-run.ts';

export const ROOT = join(import.meta.dirname, '../../..');

/** What a page's examples need beside the server; each is run by one end-to-end file, which has it. tour: nothing, and they show all that there is. */
export type Scene = 'tour' | 'server' | 'kafka' | 'postgres';

export const PAGES: Readonly<Record<string, Scene>> = {
  'README.md': 'tour',
  'docs/sql.md': 'server',
  'docs/sources.md': 'server',
  'docs/connectors/blackhole.md': 'server',
  'docs/connectors/datagen.md': 'server',
  'docs/connectors/file.md': 'server',
  'docs/connectors/kafka.md': 'kafka',
  'docs/connectors/nexmark.md': 'server',
  'docs/connectors/postgres.md': 'postgres',
  'docs/connectors/print.md': 'server',
  'docs/connectors/webhook.md': 'server',
  'docs/formats/avro.md': 'kafka',
  'docs/formats/bytes.md': 'kafka',
  'docs/formats/csv.md': 'server',
  'docs/formats/debezium.md': 'kafka',
  'docs/formats/json.md': 'server',
  'docs/formats/msgpack.md': 'kafka',
  'docs/formats/protobuf.md': 'kafka',
  'docs/formats/upsert.md': 'kafka',
  'docs/operations.md': 'kafka',
};

/** All pages that are kept, by their paths from the root. */
export function allPages(): string[] {
  return globSync(['*.md', '{docs,src,grammar,sql-tests,bench,docker}/**/*.md'], {
    cwd: ROOT,
  }).sort();
}

/** A test for each page of the scene, all in one server. */
export function testPages(
  scene: Scene,
  outside: () => Outside = () => ({}),
  skip: string | false = false,
): void {
  let server: PageServer | undefined;
  after(() => server?.dispose());
  for (const [page, needed] of Object.entries(PAGES)) {
    if (needed !== scene) continue;
    test(`the examples of ${page} show what it says`, { skip }, async () => {
      server ??= await PageServer.start(outside());
      await server.run(join(ROOT, page));
    });
  }
}
