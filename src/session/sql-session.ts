/**
 * SqlSession: one client's conversation over the wire's port: simple and extended protocol, portals, and when transactions
 * begin and end. Statements themselves are in handlers/.
 */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { evaluateValue } from '../expr/scalar.ts';
import { decodeParameter } from '../formats/parameters.ts';
import type { ParsedStatement } from '../sql/statements.ts';
import { type DataType, TEXT, typeByOid, type Value } from '../types/data-type.ts';
import type { ConnectedSession } from './database.ts';
import { planStatement } from './dispatch.ts';
import type {
  ResultField,
  ResultWriter,
  Session,
  SessionClient,
  StatementDescription,
  TransactionStatus,
  WireFormat,
} from './port.ts';
import type { PreparedStatement, StatementPlan, StatementResult } from './prepared-statement.ts';
import { isNamedType } from './reg-types.ts';
import { PREPARED_MAX, type SessionState } from './session-state.ts';
import { shownText } from './shown-text.ts';
import { StatementClock } from './statement-clock.ts';
import { TransactionBlock } from './transaction-block.ts';

interface Portal {
  readonly plan: StatementPlan | null;
  readonly statement: ParsedStatement | null;
  readonly parameters: readonly Value[];
  readonly formats: readonly WireFormat[];
  result: StatementResult | null;
  rowsSent: number;
  isDone: boolean;
}

/** Rows sent before the socket is waited for. */
const ALL_ROWS = Number.MAX_SAFE_INTEGER;

/** Statements that work in a failed transaction block. */
function endsBlock(statement: ParsedStatement): boolean {
  const { ast } = statement;
  return ast.kind === 'transaction' && ['commit', 'rollback', 'rollback_to'].includes(ast.action);
}

export class SqlSession implements Session {
  readonly parameters: ReadonlyMap<string, string>;
  readonly #state: SessionState;
  readonly #block: TransactionBlock;
  readonly #clock: StatementClock;
  readonly #portals = new Map<string, Portal>();
  readonly #client: SessionClient;
  #query = '';
  /** Ends the conversation at the next message. */
  #fatal: SqlError | null = null;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(state: SessionState, client: SessionClient) {
    this.#state = state;
    this.#client = client;
    this.parameters = state.variables.reported();
    this.#clock = new StatementClock(state);
    this.#block = new TransactionBlock(state, () => this.#closePortals());
  }

  get status(): TransactionStatus {
    return this.#block.status;
  }

  /** As pg_stat_activity and millrace.connections show it. */
  describe(startedUs: bigint): ConnectedSession {
    const session = this;
    const state = this.#state;
    return {
      processId: state.processId,
      user: state.user,
      get applicationName() {
        return state.variables.get('application_name');
      },
      clientAddress: state.clientAddress,
      get state() {
        if (session.#clock.elapsedUs !== null) return 'active';
        return session.status === 'I' ? 'idle' : 'idle in transaction';
      },
      get query() {
        return session.#query;
      },
      startedUs,
      get statementUs() {
        return session.#clock.elapsedUs;
      },
      cancel: (reason) => session.#cancelFromOutside(reason),
    };
  }

  async simpleQuery(text: string, writer: ResultWriter): Promise<void> {
    await this.#working(text, writer, async () => {
      this.closePortal('');
      const statements = await this.#statements(text);
      if (statements.length === 0) writer.emptyQuery();
      for (const [index, statement] of statements.entries()) {
        await this.#runSimple(statement, writer, index === statements.length - 1);
      }
      await this.#block.endImplicit();
    });
  }

  async parse(
    name: string,
    text: string,
    parameterOids: readonly number[],
    writer: ResultWriter,
  ): Promise<void> {
    await this.#working(text, writer, async () => {
      const statements = await this.#statements(text);
      if (statements.length > 1) {
        throw new SqlError('42601', 'cannot insert multiple commands into a prepared statement');
      }
      if (name !== '' && this.#state.prepared.has(name)) {
        throw new SqlError('42P05', `prepared statement "${name}" already exists`);
      }
      if (this.#state.prepared.size >= PREPARED_MAX) {
        throw new SqlError(
          '53400',
          `too many prepared statements: at most ${PREPARED_MAX} in a session`,
          {
            hint: 'Close those that are not needed (DEALLOCATE).',
          },
        );
      }
      const statement = statements[0] ?? null;
      if (statement !== null) this.#checkRunnable(statement);
      const declaredTypes = parameterOids.map((oid) => declaredType(oid));
      const prepared: PreparedStatement = {
        name,
        statement,
        declaredTypes,
        plan: null,
        planKey: null,
      };
      if (statement !== null) this.#plan(prepared);
      this.#state.prepared.set(name, prepared);
    });
  }

  async bind(
    portalName: string,
    statementName: string,
    formats: readonly number[],
    values: readonly (Uint8Array | null)[],
    resultFormats: readonly number[],
  ): Promise<void> {
    const prepared = this.#statement(statementName);
    if (prepared.statement !== null) this.#checkRunnable(prepared.statement);
    if (portalName !== '' && this.#portals.has(portalName)) {
      throw new SqlError('42P03', `cursor "${portalName}" already exists`);
    }
    const plan = prepared.statement === null ? null : this.#plan(prepared);
    const types = plan?.parameterTypes ?? [];
    if (values.length !== types.length) {
      const message = `bind message supplies ${values.length} parameters, but prepared statement "${statementName}" requires ${types.length}`;
      throw new SqlError('08P01', message);
    }
    const parameters = values.map((bytes, index) =>
      bytes === null ? null : this.#parameter(types[index]!, bytes, formatAt(formats, index)),
    );
    this.closePortal(portalName);
    this.#portals.set(portalName, {
      plan,
      statement: prepared.statement,
      parameters,
      formats: resultFormatList(resultFormats, plan?.fields?.length ?? 0),
      result: null,
      rowsSent: 0,
      isDone: false,
    });
  }

  async describeStatement(name: string): Promise<StatementDescription> {
    const prepared = this.#statement(name);
    if (prepared.statement === null) return { parameterTypes: [], fields: null };
    const plan = this.#plan(prepared);
    return { parameterTypes: plan.parameterTypes, fields: plan.fields };
  }

  async describePortal(
    name: string,
  ): Promise<{ fields: readonly ResultField[]; formats: readonly WireFormat[] } | null> {
    const portal = this.#portal(name);
    const fields = portal.plan?.fields ?? null;
    return fields === null ? null : { fields, formats: portal.formats };
  }

  async execute(
    name: string,
    maxRows: number,
    writer: ResultWriter,
  ): Promise<'complete' | 'suspended'> {
    const portal = this.#portal(name);
    const { statement, plan } = portal;
    if (statement === null || plan === null) {
      writer.emptyQuery();
      return 'complete';
    }
    let outcome: 'complete' | 'suspended' = 'complete';
    await this.#working(statement.text, writer, async () => {
      this.#checkRunnable(statement);
      await this.#block.beforeStatement(statement, writer);
      outcome = await this.#executePortal(portal, plan, maxRows, writer);
    });
    return outcome;
  }

  closeStatement(name: string): void {
    this.#state.prepared.delete(name);
  }

  closePortal(name: string): void {
    const portal = this.#portals.get(name);
    if (portal?.result?.kind === 'rows') portal.result.rows.close();
    this.#portals.delete(name);
  }

  async sync(writer: ResultWriter): Promise<void> {
    this.#state.setWriter(writer);
    await this.#block.endImplicit();
  }

  failed(): void {
    this.#block.fail();
  }

  cancel(reason: string): void {
    if (!reason.includes('administrator')) {
      this.#clock.abort(new SqlError('57014', reason));
      return;
    }
    this.#fatal = new SqlError('57P01', reason, { severity: 'FATAL' });
    this.#clock.abort(this.#fatal);
  }

  /** A running statement is cancelled; a client that is sent away goes at once. */
  #cancelFromOutside(reason: string): void {
    this.cancel(reason);
    if (this.#fatal !== null) this.#client.terminate(this.#fatal);
  }

  async end(): Promise<void> {
    clearTimeout(this.#idleTimer);
    this.cancel('connection to client lost');
    await this.#block.abandon();
    for (const cursor of this.#state.cursors.values()) cursor.rows.close();
    this.#state.cursors.clear();
    this.#closePortals();
    this.#client.onEnd();
  }

  /** Runs `work` as the session's active message, with its time limit and cancel signal. */
  async #working(text: string, writer: ResultWriter, work: () => Promise<void>): Promise<void> {
    clearTimeout(this.#idleTimer);
    if (this.#fatal !== null) throw this.#fatal;
    this.#query = shownText(text);
    this.#state.setWriter(writer);
    const started = performance.now();
    const { statements, statementSeconds } = this.#state.database.metrics;
    this.#clock.start();
    try {
      await work();
      statements.inc({ outcome: 'ok' });
    } catch (error) {
      statements.inc({ outcome: 'error' });
      this.#block.fail();
      throw this.#clock.reasonOf(error);
    } finally {
      this.#clock.stop();
      this.#watchIdle();
      statementSeconds.observe((performance.now() - started) / 1000);
    }
  }

  /** idle_in_transaction_session_timeout: what an idle client holds is given back, and it is sent away. */
  #watchIdle(): void {
    const limitMs = this.#state.variables.durationMs('idle_in_transaction_session_timeout');
    if (this.#block.status === 'I' || limitMs === 0) return;
    this.#idleTimer = setTimeout(() => {
      const message = 'terminating connection due to idle-in-transaction timeout';
      this.#fatal = new SqlError('25P03', message, { severity: 'FATAL' });
      this.#block.fail();
      this.#client.terminate(this.#fatal);
    }, limitMs).unref();
  }

  async #runSimple(
    statement: ParsedStatement,
    writer: ResultWriter,
    isLast: boolean,
  ): Promise<void> {
    this.#checkRunnable(statement);
    await this.#block.beforeStatement(statement, writer);
    const plan = planStatement(statement, this.#state, this.#block, []);
    if (plan.parameterTypes.length > 0) throw new SqlError('42P02', 'there is no parameter $1');
    const result = await plan.run([]);
    const tag = await this.#answer(plan, result, writer);
    // The answer promises durability: a lone statement commits before its tag goes out.
    if (isLast) await this.#block.endImplicit();
    writer.complete(tag);
  }

  /** Sends a statement's whole answer; gives its tag. */
  async #answer(
    plan: StatementPlan,
    result: StatementResult,
    writer: ResultWriter,
  ): Promise<string> {
    if (result.kind === 'done') return result.tag;
    if (result.kind === 'stream') return result.run(writer);
    const fields = must(plan.fields, 'a statement with rows has fields');
    const formats = fields.map((): WireFormat => 0);
    try {
      writer.fields(fields, formats);
      let sent = 0;
      for (
        let batch = await result.rows.next(ALL_ROWS);
        batch !== null;
        batch = await result.rows.next(ALL_ROWS)
      ) {
        await writer.rows(batch, result.rows.types, formats, this.#state.outputSettings);
        sent += batch.rowCount;
      }
      return result.tag(sent);
    } finally {
      result.rows.close();
    }
  }

  async #executePortal(
    portal: Portal,
    plan: StatementPlan,
    maxRows: number,
    writer: ResultWriter,
  ): Promise<'complete' | 'suspended'> {
    if (portal.isDone) {
      if (portal.result?.kind !== 'rows') throw new SqlError('55000', 'portal cannot be run');
      writer.complete(portal.result.tag(0));
      return 'complete';
    }
    portal.result ??= await plan.run(portal.parameters);
    const { result } = portal;
    if (result.kind === 'rows') return this.#sendRows(portal, result, maxRows, writer);
    portal.isDone = true;
    writer.complete(result.kind === 'done' ? result.tag : await result.run(writer));
    return 'complete';
  }

  async #sendRows(
    portal: Portal,
    result: Extract<StatementResult, { kind: 'rows' }>,
    maxRows: number,
    writer: ResultWriter,
  ): Promise<'complete' | 'suspended'> {
    let left = maxRows === 0 ? ALL_ROWS : maxRows;
    let sent = 0;
    while (left > 0) {
      const batch = await result.rows.next(left);
      if (batch === null) {
        portal.isDone = true;
        result.rows.close();
        writer.complete(result.tag(sent));
        return 'complete';
      }
      await writer.rows(batch, result.rows.types, portal.formats, this.#state.outputSettings);
      left -= batch.rowCount;
      sent += batch.rowCount;
      portal.rowsSent += batch.rowCount;
    }
    return 'suspended';
  }

  #statements(text: string): Promise<readonly ParsedStatement[]> {
    const { database, signal } = this.#state;
    return database.parser.parse(text, signal);
  }

  #checkRunnable(statement: ParsedStatement): void {
    if (this.#block.status !== 'E' || endsBlock(statement)) return;
    throw new SqlError(
      '25P02',
      'current transaction is aborted, commands ignored until end of transaction block',
    );
  }

  #statement(name: string): PreparedStatement {
    const prepared = this.#state.prepared.get(name);
    if (prepared !== undefined) return prepared;
    throw new SqlError(
      '26000',
      name === ''
        ? 'unnamed prepared statement does not exist'
        : `prepared statement "${name}" does not exist`,
    );
  }

  #portal(name: string): Portal {
    const portal = this.#portals.get(name);
    if (portal === undefined) throw new SqlError('34000', `portal "${name}" does not exist`);
    return portal;
  }

  /** The statement's plan, made again where the catalog or the search path is another. */
  #plan(prepared: PreparedStatement): StatementPlan {
    const state = this.#state;
    const { catalog } = state;
    const { version } = state.variables;
    const known = prepared.planKey;
    if (prepared.plan !== null && known?.catalog === catalog && known.settings === version)
      return prepared.plan;
    const before = prepared.plan;
    const plan = planStatement(
      must(prepared.statement),
      state,
      this.#block,
      prepared.declaredTypes,
    );
    if (before !== null && !sameFields(before.fields, plan.fields)) {
      throw new SqlError('0A000', 'cached plan must not change result type');
    }
    prepared.plan = plan;
    prepared.planKey = { catalog, settings: version };
    return plan;
  }

  /** A parameter's value; the text of an OID alias type names an object of the catalog. */
  #parameter(type: DataType, bytes: Uint8Array, format: number): Value {
    const state = this.#state;
    if (format === 1 || !isNamedType(type)) {
      return decodeParameter(type, bytes, format, state.valueSettings);
    }
    const name = String(decodeParameter(TEXT, bytes, format, state.valueSettings));
    return evaluateValue(
      {
        kind: 'call',
        function: `cast(text,${type.id})`,
        args: [{ kind: 'literal', text: name, type: TEXT }],
        type,
      },
      [],
      {
        settings: state.valueSettings,
        nowUs: state.database.clock.wallUs(),
        system: state.environment(),
      },
    );
  }

  #closePortals(): void {
    for (const name of [...this.#portals.keys()]) this.closePortal(name);
  }
}

function declaredType(oid: number): DataType | null {
  if (oid === 0 || oid === 705) return null;
  const type = typeByOid(oid);
  if (type === undefined) throw new SqlError('42704', `type with OID ${oid} does not exist`);
  return type;
}

function formatAt(formats: readonly number[], index: number): number {
  if (formats.length === 0) return 0;
  return formats.length === 1 ? formats[0]! : (formats[index] ?? 0);
}

function resultFormatList(formats: readonly number[], fieldCount: number): WireFormat[] {
  if (formats.length > 1 && formats.length !== fieldCount) {
    throw new SqlError(
      '08P01',
      `bind message has ${formats.length} result formats but query has ${fieldCount} columns`,
    );
  }
  return Array.from({ length: fieldCount }, (_, index) => {
    const format = formatAt(formats, index);
    if (format !== 0 && format !== 1)
      throw new SqlError('22023', `unsupported format code: ${format}`);
    return format;
  });
}

function sameFields(a: readonly ResultField[] | null, b: readonly ResultField[] | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.length === b.length &&
    a.every(
      (field, index) => field.type.oid === b[index]!.type.oid && field.name === b[index]!.name,
    )
  );
}
