/** For tests: sessions over a real engine in memory, without a wire; answers come as text. */

import { SystemClock } from '../base/clock.ts';
import { createLog } from '../base/log.ts';
import { Metrics } from '../base/metrics.ts';
import { systemRandom } from '../base/random.ts';
import { newSecretKey, SecretBox } from '../base/secret-box.ts';
import { SqlError } from '../base/sql-error.ts';
import { readValue } from '../batch/read-value.ts';
import { MILLRACE_RELATIONS } from '../catalog/system/millrace-relations.ts';
import { postgresRelations } from '../catalog/system/postgres15.ts';
import { type EnginePort, startEngine } from '../dataflow/client.ts';
import { DEFAULT_ENGINE_OPTIONS } from '../dataflow/port.ts';
import { QueryService } from '../serve/query-service.ts';
import { loadParser } from '../sql/parse.ts';
import { formatValue } from '../types/value.ts';
import { Database } from './database.ts';
import type { Notice, ResultWriter, Session } from './port.ts';
import { SqlSessionFactory } from './session-factory.ts';

/** A writer that keeps what it is given: tags, rows as text with `|` between values, notices. */
export class RecordingWriter implements ResultWriter {
  readonly tags: string[] = [];
  readonly lines: string[] = [];
  readonly columns: string[] = [];
  readonly notices: Notice[] = [];
  readonly statuses: string[] = [];
  copied = '';
  /** What copyIn yields; an Error is thrown there. */
  input: (string | Error)[] = [];
  /** Runs after each batch of rows: a slow client. */
  onRows: () => Promise<void> = async () => {};

  fields: ResultWriter['fields'] = (fields) => {
    this.columns.splice(0, Infinity, ...fields.map((field) => field.name));
  };
  rows: ResultWriter['rows'] = async (batch, types, _formats, settings) => {
    for (let row = 0; row < batch.rowCount; row++) {
      const values = types.map((type, index) => {
        const value = readValue(batch.memory, batch.columns[index]!, type, row);
        return value === null ? 'null' : formatValue(type, value, settings);
      });
      this.lines.push(values.join('|'));
    }
    await this.onRows();
  };
  complete = (tag: string): void => void this.tags.push(tag);
  emptyQuery = (): void => void this.tags.push('(empty)');
  notice = (notice: Notice): void => void this.notices.push(notice);
  parameterStatus = (name: string, value: string): void =>
    void this.statuses.push(`${name}=${value}`);
  copyOutStart = (): void => {};
  copyOutData: ResultWriter['copyOutData'] = async (bytes) => {
    this.copied += Buffer.from(bytes).toString();
  };
  copyOutDone = (): void => {};
  async *copyIn(): AsyncIterable<Uint8Array> {
    for (const chunk of this.input) {
      if (chunk instanceof Error) throw chunk;
      yield Buffer.from(chunk);
    }
  }
}

/** One client. */
export class TestSession {
  readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  /** Runs a simple query; gives its rows, or the tags where there are none, or `SQLSTATE message`. */
  async run(text: string, writer: RecordingWriter = new RecordingWriter()): Promise<string> {
    try {
      await this.session.simpleQuery(text, writer);
    } catch (error) {
      this.session.failed();
      if (error instanceof SqlError) return `${error.sqlstate} ${error.message}`;
      throw error;
    }
    return writer.lines.length > 0 ? writer.lines.join(' ') : writer.tags.join(' ');
  }

  /** The same, where it must succeed. */
  async ok(text: string): Promise<string> {
    const answer = await this.run(text);
    if (/^[0-9A-Z]{5} [a-z"]/.test(answer)) throw new Error(`${text}: ${answer}`);
    return answer;
  }
}

export class SessionFixture {
  readonly database: Database;
  readonly #engine: EnginePort;
  readonly #queries: QueryService;
  readonly #factory: SqlSessionFactory;
  #nextProcessId = 1;

  private constructor(engine: EnginePort, queries: QueryService, database: Database) {
    this.#engine = engine;
    this.#queries = queries;
    this.database = database;
    this.#factory = new SqlSessionFactory(database, { isPasswordSet: false, port: 5433 });
  }

  static async start(queryMemoryBytes = 64 * 2 ** 20): Promise<SessionFixture> {
    await loadParser();
    const log = createLog('fatal');
    const secretKey = { hex: newSecretKey() };
    const engine = await startEngine(
      { ...DEFAULT_ENGINE_OPTIONS, dataDir: ':memory:', secretKey },
      {
        log: () => {},
        onDeath: (error) => {
          throw error;
        },
      },
    );
    const { batchRowsMax } = DEFAULT_ENGINE_OPTIONS;
    const queries = new QueryService({
      engine,
      log,
      kernels: 'auto',
      queryMemoryBytes,
      batchRowsMax,
    });
    const database = new Database({
      engine,
      queries,
      systemRelations: [...postgresRelations(), ...MILLRACE_RELATIONS],
      clock: new SystemClock(),
      random: systemRandom(),
      log,
      metrics: new Metrics(),
      fileRoots: [],
      dataDir: ':memory:',
      secrets: new SecretBox(secretKey),
      batchRowsMax,
    });
    return new SessionFixture(engine, queries, database);
  }

  async open(settings: Readonly<Record<string, string>> = {}): Promise<TestSession> {
    const session = await this.#factory.open({
      user: 'millrace',
      database: 'millrace',
      settings: new Map(Object.entries(settings)),
      processId: this.#nextProcessId++,
      clientAddress: '127.0.0.1',
      terminate: () => undefined,
    });
    return new TestSession(session);
  }

  /** Snapshots that somebody holds. */
  get pinCount(): number {
    return this.#engine.control.pinCount;
  }

  /** What statements hold now: `pins, memories, locks`; after a query thread was stopped it may take a moment. */
  async held(): Promise<string> {
    const text = () =>
      `${this.pinCount} pins, ${this.#queries.lentMemories} memories, ${this.database.locks.heldCount} locks`;
    for (let tries = 0; tries < 100 && text() !== NOTHING_HELD; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    return text();
  }

  async close(): Promise<void> {
    await this.#queries.close();
    await this.database.parser.close();
    await this.#engine.close();
  }
}

export const NOTHING_HELD = '0 pins, 0 memories, 0 locks';
