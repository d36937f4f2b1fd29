/**
 * Runs a page of the documentation: every statement and command; what is shown must be what comes.
 * DOCS_COMPLETE=1 writes what comes into the page instead.
 */

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqlClient } from '../../client/sql-client.ts';
import { DEMO_DATA_DIR } from '../../demo/demo.ts';
import type { KafkaFixture } from '../kafka/kafka-fixture.ts';
import { polled } from '../polled.ts';
import { ServerProcess } from '../server-process.ts';
import { runCommand } from './commands.ts';
import { comparable, type PageStep, pageSteps, type Shown } from './page-steps.ts';

const isCompleting = process.env.DOCS_COMPLETE === '1';
/** What comes by and by gets there within this time. */
const SHOWN_WITHIN_MS = isCompleting ? 3000 : 20_000;
/** Parquet files appear with checkpoints. */
const TUNING = { checkpointIntervalMs: 500 };

/** What is there beside the server. */
export interface Outside {
  readonly kafka?: KafkaFixture;
  readonly postgresUrl?: string;
  /** What stands in pages, as addresses, and what it is here. */
  readonly replacements?: readonly (readonly [string, string])[];
}

/** One server for pages one after the other, each in a schema of its own. */
export class PageServer {
  readonly outside: Outside;
  readonly server: ServerProcess;
  /** The server's folder of files. */
  readonly directory: string;
  #pageCount = 0;

  private constructor(outside: Outside, server: ServerProcess, directory: string) {
    this.outside = outside;
    this.server = server;
    this.directory = directory;
  }

  static async start(outside: Outside): Promise<PageServer> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-docs-'));
    copyFileSync(join(DEMO_DATA_DIR, 'flights.csv.gz'), join(directory, 'flights.csv.gz'));
    const server = await ServerProcess.start({
      args: ['--file-root', directory],
      isHttpOn: true,
      tuning: TUNING,
    });
    return new PageServer(outside, server, directory);
  }

  async dispose(): Promise<void> {
    await this.server.dispose();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** `path`: of the page's file. */
  async run(path: string): Promise<void> {
    const page = readFileSync(path, 'utf8');
    this.#pageCount += 1;
    await using run = await PageRun.start(this, `page_${this.#pageCount}`);
    await run.createTopics(page);
    const all: Came[] = [];
    for (const step of pageSteps(page)) all.push(...(await run.step(step)));
    if (isCompleting) writeFileSync(path, completed(page, all));
  }
}

/** What came where the page shows something. */
interface Came {
  readonly shown: Shown;
  readonly text: string;
}

class PageRun {
  readonly #to: PageServer;
  readonly #schema: string;
  /** Standard output before the page. */
  readonly #outputLength: number;
  readonly #postgres: SqlClient | null;
  #client: SqlClient;

  private constructor(
    to: PageServer,
    schema: string,
    clients: { readonly client: SqlClient; readonly postgres: SqlClient | null },
  ) {
    this.#to = to;
    this.#schema = schema;
    this.#outputLength = to.server.output.length;
    this.#client = clients.client;
    this.#postgres = clients.postgres;
  }

  static async start(to: PageServer, schema: string): Promise<PageRun> {
    const { postgresUrl } = to.outside;
    const postgres = postgresUrl === undefined ? null : await SqlClient.connect(postgresUrl);
    const client = await SqlClient.connect(to.server.url);
    const run = new PageRun(to, schema, { client, postgres });
    await client.query(`CREATE SCHEMA ${schema}`);
    await run.#enter();
    return run;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.#postgres?.close();
  }

  /** Those that the page's statements name: topics are there before anybody reads them. */
  async createTopics(page: string): Promise<void> {
    const topics = [...page.matchAll(/\btopic = '([^']+)'/g)].map(([, topic]) => topic!);
    for (const topic of new Set(topics)) await this.#to.outside.kafka?.createTopic(topic);
  }

  async step(step: PageStep): Promise<Came[]> {
    switch (step.kind) {
      case 'restart':
        await this.#restart();
        return [];
      case 'file':
        writeFileSync(join(this.#to.directory, step.name), step.content);
        return [];
      case 'output':
        return [await this.#output(step.shown)];
      default:
        return this.#run(step);
    }
  }

  async #enter(): Promise<void> {
    await this.#client.query(`SET search_path = ${this.#schema}`);
  }

  async #restart(): Promise<void> {
    const { server } = this.#to;
    await this.#client.close().catch(() => undefined);
    await server.kill();
    await server.restart();
    this.#client = await SqlClient.connect(server.url);
    await this.#enter();
  }

  async #run(step: PageStep & { kind: 'statement' | 'command' }): Promise<Came[]> {
    const { shown, isPostgres } = step;
    const text = this.#replaced(step.text);
    const client = isPostgres ? this.#postgres! : this.#client;
    const world = { directory: this.#to.directory, kafka: this.#to.outside.kafka ?? null };
    const ask = () => (step.kind === 'command' ? runCommand(text, world) : client.answer(text));
    try {
      if (shown !== null) {
        return [
          checked({ shown, text: isLooking(text) ? await awaited(ask, shown) : await ask() }),
        ];
      }
      await ask();
      return [];
    } catch (error) {
      throw error instanceof assert.AssertionError ? error : new Error(text, { cause: error });
    }
  }

  /** The lines of standard output, from the one on that is shown first. */
  async #output(shown: Shown): Promise<Came> {
    const wanted = comparable(shown.text).split('\n');
    const ask = () => {
      const lines = this.#to.server.output.slice(this.#outputLength).trimEnd().split('\n');
      const from = lines.findIndex((line) => comparable(line) === wanted[0]);
      return (isCompleting ? lines : lines.slice(from, from + wanted.length)).join('\n');
    };
    return checked({ shown, text: await awaited(ask, shown) });
  }

  #replaced(text: string): string {
    const { outside, server } = this.#to;
    const here = `${server.httpUrl!}/ingest/${this.#schema}/`;
    const webhook = ['http://127.0.0.1:4480/ingest/public/', here] as const;
    const all = [...(outside.replacements ?? []), webhook];
    return all.reduce((before, [from, to]) => before.replaceAll(from, to), text);
  }
}

/** Whether it may be asked again and again until it shows what it should. */
function isLooking(text: string): boolean {
  return /^(SELECT|cat|ls|kafka-console-consumer\.sh) /.test(text);
}

async function awaited(ask: () => string | Promise<string>, shown: Shown): Promise<string> {
  const isThere = (text: string) => !isCompleting && comparable(text) === comparable(shown.text);
  return polled(ask, isThere, SHOWN_WITHIN_MS);
}

function checked(came: Came): Came {
  if (!isCompleting) assert.equal(comparable(came.text), comparable(came.shown.text));
  return came;
}

function completed(before: string, all: readonly Came[]): string {
  let page = before;
  for (const { shown, text } of all.toReversed()) {
    const trimmed = text.trimEnd().replace(/ +$/gm, '');
    page = `${page.slice(0, shown.start)}${trimmed}\n${page.slice(shown.end)}`;
  }
  return page;
}
