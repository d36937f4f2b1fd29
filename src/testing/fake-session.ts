/**
 * A session without SQL, for the tests of the wire: it obeys a few words. Statements are separated
 * by `;`:
 *
 * `rows N` · `wide N` (1 KB rows) · `error SQLSTATE POSITION message` · `fatal` · `bug` ·
 * `overflow` · `sleep` (until cancelled) · `notice` · `set NAME VALUE` · `begin` `commit`
 * `rollback` · `copy in` · `copy out N` · `params` (two parameters).
 */

import { SqlError } from '../base/sql-error.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { Memory } from '../memory/memory.ts';
import type {
  OutputSettings,
  ResultField,
  ResultWriter,
  Session,
  SessionFactory,
  StartupParameters,
  StatementDescription,
  TransactionStatus,
  WireFormat,
} from '../session/port.ts';
import { INT4, TEXT } from '../types/data-type.ts';

const SETTINGS: OutputSettings = {
  timeZone: 'UTC',
  dateStyle: 'ISO, MDY',
  intervalStyle: 'postgres',
  byteaOutput: 'hex',
  extraFloatDigits: 1,
};

const BATCH_ROWS = 100;
const WIDE_SIZE = 1000;

const FIELDS: readonly ResultField[] = [
  { name: 'n', type: INT4, tableOid: 0, attributeNumber: 0 },
  { name: 't', type: TEXT, tableOid: 16_400, attributeNumber: 2 },
];
const TYPES = FIELDS.map((field) => field.type);

interface Portal {
  readonly text: string;
  readonly formats: readonly WireFormat[];
  sent: number;
}

export class FakeSession implements Session {
  readonly startup: StartupParameters;
  /** What was called, in order. */
  readonly calls: string[] = [];
  readonly parameters: ReadonlyMap<string, string> = new Map([
    ['server_version', '15.99'],
    ['client_encoding', 'UTF8'],
    ['server_encoding', 'UTF8'],
    ['DateStyle', 'ISO, MDY'],
    ['integer_datetimes', 'on'],
    ['standard_conforming_strings', 'on'],
  ]);
  status: TransactionStatus = 'I';
  /** What COPY took in. */
  copied = '';
  hasEnded = false;
  rowsSent = 0;
  readonly #memory = Memory.create();
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, Portal>();
  #cancelReason: string | null = null;
  #wake: (() => void) | null = null;

  constructor(startup: StartupParameters) {
    this.startup = startup;
  }

  async simpleQuery(text: string, writer: ResultWriter): Promise<void> {
    this.calls.push(`query ${text}`);
    this.#cancelReason = null;
    const statements = text.split(';').map((part) => part.trim());
    if (statements.at(-1) === '') statements.pop();
    if (statements.length === 0) return writer.emptyQuery();
    for (const statement of statements) {
      if (/^(rows|wide)/.test(statement)) writer.fields(FIELDS, [0, 0]);
      await this.#run(statement, writer, [0, 0]);
    }
  }

  async parse(name: string, text: string, oids: readonly number[]): Promise<void> {
    this.calls.push(`parse ${name} [${oids}]`);
    if (text.startsWith('error')) await this.#fail(text);
    this.#statements.set(name, text);
  }

  async bind(
    portal: string,
    statement: string,
    formats: readonly number[],
    values: readonly (Uint8Array | null)[],
    resultFormats: readonly number[],
  ): Promise<void> {
    this.#cancelReason = null;
    const shown = values.map((value) => (value === null ? 'NULL' : Buffer.from(value).toString()));
    this.calls.push(`bind ${portal} ${statement} [${formats}] [${shown}] [${resultFormats}]`);
    const text = this.#statement(statement);
    const wanted = text === 'params' ? 2 : 0;
    if (values.length !== wanted) {
      const have = `bind message supplies ${values.length} parameters`;
      throw new SqlError(
        '08P01',
        `${have}, but prepared statement "${statement}" requires ${wanted}`,
      );
    }
    const format = (resultFormats[0] ?? 0) as WireFormat;
    this.#portals.set(portal, { text, formats: [format, format], sent: 0 });
  }

  async describeStatement(name: string): Promise<StatementDescription> {
    const text = this.#statement(name);
    return {
      parameterTypes: text === 'params' ? [INT4, TEXT] : [],
      fields: text.startsWith('rows') ? FIELDS : null,
    };
  }

  async describePortal(name: string) {
    const portal = this.#portal(name);
    return portal.text.startsWith('rows') ? { fields: FIELDS, formats: portal.formats } : null;
  }

  async execute(name: string, maxRows: number, writer: ResultWriter) {
    this.calls.push(`execute ${name} ${maxRows}`);
    const portal = this.#portal(name);
    if (!portal.text.startsWith('rows')) {
      if (portal.text === '') writer.emptyQuery();
      else await this.#run(portal.text, writer, portal.formats);
      return 'complete';
    }
    const left = Number(portal.text.split(' ')[1]) - portal.sent;
    const count = maxRows === 0 ? left : Math.min(left, maxRows);
    await this.#rows(portal.sent, count, 0, writer, portal.formats);
    portal.sent += count;
    if (maxRows !== 0 && count === maxRows) return 'suspended';
    writer.complete(`SELECT ${count}`);
    return 'complete';
  }

  closeStatement(name: string): void {
    this.#statements.delete(name);
  }

  closePortal(name: string): void {
    this.#portals.delete(name);
  }

  async sync(): Promise<void> {
    this.calls.push('sync');
    if (this.status === 'I') this.#portals.clear();
  }

  failed(): void {
    this.calls.push('failed');
    if (this.status === 'T') this.status = 'E';
  }

  cancel(reason: string): void {
    this.calls.push(`cancel ${reason}`);
    this.#cancelReason = reason;
    this.#wake?.();
  }

  async end(): Promise<void> {
    this.hasEnded = true;
  }

  #statement(name: string): string {
    const text = this.#statements.get(name);
    if (text !== undefined) return text;
    throw new SqlError('26000', `prepared statement "${name}" does not exist`);
  }

  #portal(name: string): Portal {
    const portal = this.#portals.get(name);
    if (portal !== undefined) return portal;
    throw new SqlError('34000', `portal "${name}" does not exist`);
  }

  async #run(statement: string, writer: ResultWriter, formats: readonly WireFormat[]) {
    const [word = '', first = '', second = ''] = statement.split(' ');
    switch (word) {
      case 'rows':
      case 'wide': {
        await this.#rows(0, Number(first), word === 'wide' ? WIDE_SIZE : 0, writer, formats);
        return writer.complete(`SELECT ${first}`);
      }
      case 'copy':
        return first === 'in' ? this.#copyIn(writer) : this.#copyOut(Number(second), writer);
      case 'set':
        writer.parameterStatus(first, second);
        return writer.complete('SET');
      case 'notice':
        writer.notice({ severity: 'NOTICE', sqlstate: '00000', message: 'hear', hint: 'listen' });
        return writer.complete('NOTICE');
      case 'begin':
      case 'commit':
      case 'rollback':
        this.status = word === 'begin' ? 'T' : 'I';
        return writer.complete(word.toUpperCase());
      case 'params':
        return writer.complete('PARAMS');
      default:
        return this.#fail(statement);
    }
  }

  async #fail(statement: string): Promise<never> {
    const [word, sqlstate = '', position = '', ...message] = statement.split(' ');
    if (word === 'error') {
      const fields = { position: Number(position), detail: 'the detail', hint: 'the hint' };
      throw new SqlError(sqlstate, message.join(' '), fields);
    }
    if (word === 'fatal') throw new SqlError('57P05', 'idle for too long', { severity: 'FATAL' });
    if (word === 'bug') throw new TypeError('x is not a function');
    if (word === 'overflow') throw new RangeError('Maximum call stack size exceeded');
    if (word === 'sleep') await this.#sleep();
    throw new SqlError('42601', `syntax error at or near "${word}"`, { position: 0 });
  }

  async #sleep(): Promise<void> {
    if (this.#cancelReason === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    throw new SqlError('57014', this.#cancelReason ?? '');
  }

  async #rows(
    from: number,
    count: number,
    size: number,
    writer: ResultWriter,
    formats: readonly WireFormat[],
  ): Promise<void> {
    for (let row = from; row < from + count; row += BATCH_ROWS) {
      const rowCount = Math.min(BATCH_ROWS, from + count - row);
      await writer.rows(this.#batch(row, rowCount, size), TYPES, formats, SETTINGS);
      this.rowsSent += rowCount;
    }
  }

  /** Column n counts; column t is `r` and the number, or `size` times x. */
  #batch(from: number, rowCount: number, size: number): DeltaBatch {
    const memory = this.#memory;
    const numbers = memory.alloc(rowCount * 4);
    const texts = memory.alloc(rowCount * 16);
    const long = memory.alloc(Math.max(16, size));
    const bytes = Buffer.from(memory.wasm.buffer);
    bytes.fill('x', long, long + size);
    for (let row = 0; row < rowCount; row++) {
      bytes.writeInt32LE(from + row, numbers + row * 4);
      const text = Buffer.from(`r${from + row}`);
      const view = texts + row * 16;
      bytes.writeUInt32LE(size === 0 ? text.length : size, view);
      if (size === 0) text.copy(bytes, view + 4);
      else {
        bytes.copy(bytes, view + 4, long, long + 4);
        bytes.writeUInt32LE(0, view + 8);
        bytes.writeUInt32LE(long, view + 12);
      }
    }
    const columns = [
      { storage: 'i32', values: numbers, validity: 0 },
      { storage: 'view', values: texts, validity: 0 },
    ] as const;
    return { memory, rowCount, columns, weights: 0, rowWatermarks: 0 };
  }

  async #copyIn(writer: ResultWriter): Promise<void> {
    let text = '';
    for await (const bytes of writer.copyIn(0, 2)) {
      text += Buffer.from(bytes).toString();
      if (text.includes('bad'))
        throw new SqlError('22P04', 'extra data after last expected column');
    }
    this.copied += text;
    writer.complete(`COPY ${text.split('\n').length - 1}`);
  }

  async #copyOut(count: number, writer: ResultWriter): Promise<void> {
    writer.copyOutStart(0, 1);
    for (let i = 0; i < count; i++) await writer.copyOutData(Buffer.from(`line ${i}\n`));
    writer.copyOutDone();
    writer.complete(`COPY ${count}`);
  }
}

/** Opens fake sessions and remembers them; refuses the database `nowhere`. */
export class FakeSessions implements SessionFactory {
  readonly opened: FakeSession[] = [];

  async open(startup: StartupParameters): Promise<Session> {
    if (startup.database === 'nowhere') {
      throw new SqlError('3D000', 'database "nowhere" does not exist');
    }
    const session = new FakeSession(startup);
    this.opened.push(session);
    return session;
  }
}
