/**
 * The supervisor of the kill tests: runs a real server on one data directory, lets clients work, kills -9 at a random moment
 * (anywhere; soon after a statement of a chosen kind went out; in recovery; in the last checkpoint of a stop), starts it
 * again and compares everything with the model (reliability.md R4). All choices come from the seed; the moments are real time.
 */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../base/random.ts';
import { ServerProcess } from '../server-process.ts';
import { SqlClient } from '../sql-client.ts';
import { KillClient } from './client.ts';
import { STEP_KINDS, type StepKind } from './steps.ts';
import { eventually, nexmarkContents, nexmarkStatements, World } from './world.ts';

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  report(line: string): void;
}

const CLIENTS = 4;
const WORK_MS_MAX = 900;
const AFTER_SEND_MS_MAX = 25;
const EVENTS_PER_KILL = 400;
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Where a kill is aimed: a statement's kind, or a phase of the server. */
type Aim = StepKind | 'anywhere' | 'idle' | 'recovery' | 'stop' | 'backfill';
const AIMS: readonly Aim[] = [
  ...STEP_KINDS,
  ...([
    'anywhere',
    'anywhere',
    'anywhere',
    'idle',
    'backfill',
    'backfill',
    'stop',
    'recovery',
  ] as const),
];

/** Throws at the first difference; the server's log is in the message. */
export async function runKills(options: KillOptions): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-kills-'));
  const outside = join(home, 'outside');
  mkdirSync(outside);
  const server = ServerProcess.prepare({
    dataDir: join(home, 'data'),
    args: ['--file-root', outside, '--log-level', 'info'],
    tuning: { checkpointIntervalMs: 400 },
  });
  try {
    await new Supervisor(server, outside, options).run();
    rmSync(home, { recursive: true, force: true });
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(`seed ${options.seed}, data in ${home}: ${text}\n${server.log.slice(-4000)}`);
  } finally {
    await server.dispose();
  }
}

class Supervisor {
  readonly #server: ServerProcess;
  readonly #options: KillOptions;
  readonly #random: Random;
  readonly #world: World;
  readonly #clients: KillClient[];
  readonly #eventsMax: number;
  #epoch = 0;
  #views = 0;
  #startMs = 1000;

  constructor(server: ServerProcess, outside: string, options: KillOptions) {
    this.#server = server;
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#eventsMax = options.kills * EVENTS_PER_KILL + 1000;
    this.#world = new World(outside, new Random(this.#random.u32()));
    this.#clients = Array.from(
      { length: CLIENTS },
      (_, index) => new KillClient(index, new Random(this.#random.u32())),
    );
  }

  async run(): Promise<void> {
    await this.#server.restart();
    await this.#connected((connection) => this.#world.create(connection, this.#eventsMax));
    for (let kill = 1; kill <= this.#options.kills; kill++) {
      const aim = this.#random.pick(AIMS);
      const moment = aim === 'recovery' ? await this.#killRecovery() : await this.#killWork(aim);
      await this.#start();
      await this.#connected((connection) => this.#check(connection));
      this.#options.report(`kill ${kill} of ${this.#options.kills}, ${aim}: ${moment}`);
    }
    await this.#connected((connection) => this.#checkNexmark(connection));
    await this.#server.stop();
    await this.#start();
    await this.#connected((connection) => this.#check(connection));
    await this.#server.stop();
    const acknowledged = this.#clients.reduce((sum, client) => sum + client.acknowledged, 0);
    this.#options.report(`${acknowledged} steps acknowledged`);
  }

  async #start(): Promise<void> {
    const startMs = performance.now();
    await this.#server.restart();
    this.#startMs = performance.now() - startMs;
  }

  async #connected(work: (connection: SqlClient) => Promise<void>): Promise<void> {
    const connection = await SqlClient.connect(this.#server.url);
    try {
      await work(connection);
    } finally {
      await connection.close();
    }
  }

  // ---- kills

  /** Kills in the middle of a start, after a kill under load. */
  async #killRecovery(): Promise<string> {
    await this.#killWork('anywhere');
    this.#server.spawn();
    const ms = this.#random.float() * this.#startMs * 1.1;
    await sleep(ms);
    await this.#server.kill();
    return `${ms.toFixed()} ms after the start of a recovery`;
  }

  /** Lets the clients work, and kills the server under them. */
  async #killWork(aim: Aim): Promise<string> {
    const favourite = STEP_KINDS.find((kind) => kind === aim) ?? null;
    const sent = Promise.withResolvers<void>();
    const workMs = this.#random.float() * WORK_MS_MAX;
    const startMs = performance.now();
    const onSend = (kind: StepKind) => {
      if (kind === aim && performance.now() - startMs >= workMs) sent.resolve();
    };
    let isOver = false;
    const orders = { favourite, onSend, isOver: () => isOver };
    const { url } = this.#server;
    const work = this.#clients.map((client) => client.work(url, orders));
    const all = Promise.all([...work, this.#watchEpochs(url, orders.isOver)]);
    const outside = setInterval(() => this.#world.append(), 20);
    try {
      await Promise.race([all, sleep(workMs)]);
      if (aim === 'idle') {
        isOver = true;
        clearInterval(outside);
        await all;
        await this.#connected((connection) => this.#check(connection));
      }
      await this.#strike(aim, favourite === null ? null : Promise.race([sent.promise, sleep(300)]));
    } finally {
      clearInterval(outside);
      await this.#server.kill();
    }
    await all;
    return `after ${(performance.now() - startMs).toFixed()} ms`;
  }

  /** The moment itself: the server is killed by the caller when this resolves. */
  async #strike(aim: Aim, sent: Promise<void> | null): Promise<void> {
    const restMs = this.#random.float() * AFTER_SEND_MS_MAX;
    if (sent !== null) await sent;
    if (aim === 'stop') process.kill(this.#server.pid, 'SIGTERM');
    if (aim === 'backfill') await this.#beginBackfill();
    await sleep(aim === 'stop' || aim === 'backfill' ? restMs * 6 : restMs);
  }

  /** A view over the large table, whose rows go on changing meanwhile. */
  async #beginBackfill(): Promise<void> {
    const name = `big_${++this.#views}`;
    const [one, two] = await Promise.all([
      SqlClient.connect(this.#server.url),
      SqlClient.connect(this.#server.url),
    ]);
    const ignored = () => undefined;
    const query = 'SELECT g, count(*) AS n, sum(id) AS s FROM big GROUP BY g';
    one.query(`CREATE MATERIALIZED VIEW ${name} AS ${query}`).catch(ignored);
    const first = 100_000 + this.#views * 1000;
    two
      .query(
        `INSERT INTO big SELECT i, i % 100 FROM generate_series(${first}, ${first + 500}) AS t(i)`,
      )
      .then(() => two.query('UPDATE big SET g = g + 1 WHERE g % 10 = 3'))
      .catch(ignored);
  }

  /** The newest epoch that anybody saw. */
  async #watchEpochs(url: string, isOver: () => boolean): Promise<void> {
    try {
      const connection = await SqlClient.connect(url);
      while (!isOver()) {
        this.#seeEpoch(await connection.value('SELECT published FROM millrace.epochs'));
        await sleep(10);
      }
      await connection.close();
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
  }

  #seeEpoch(text: string | null): void {
    const epoch = Number(text);
    assert.ok(epoch >= this.#epoch, `epoch ${epoch} after ${this.#epoch} was seen`);
    this.#epoch = epoch;
  }

  // ---- checks

  async #check(connection: SqlClient): Promise<void> {
    this.#seeEpoch(await connection.value('SELECT published FROM millrace.epochs'));
    for (const client of this.#clients) await client.check(connection);
    await this.#world.check(connection);
  }

  /** When the generator has ended, its views are those of a server that was never killed. */
  async #checkNexmark(connection: SqlClient): Promise<void> {
    await eventually(async () => {
      const ended = await connection.value(
        `SELECT bool_and(is_ended) FROM millrace.sources WHERE name = 'bid'`,
      );
      assert.equal(ended, 't', 'the generator has ended');
    });
    const reference = await ServerProcess.start({ dataDir: ':memory:' });
    const other = await SqlClient.connect(reference.url);
    try {
      for (const sql of nexmarkStatements(this.#eventsMax, 'fast')) await other.query(sql);
      await eventually(async () => {
        assert.deepEqual(await nexmarkContents(connection), await nexmarkContents(other));
      });
    } finally {
      await other.close();
      await reference.dispose();
    }
  }
}
