/**
 * The statements that PostgreSQL does not have, over the token stream: their Postgres parts (queries, expressions, column
 * lists) are handed to PostgreSQL's parser with everything else blanked out, so that positions stay.
 * Reached only for statements that PostgreSQL's parser refuses, and for SHOW of our objects.
 */

import { SqlError } from '../base/sql-error.ts';
import { node } from './adapt-context.ts';
import type { Emit, Expr, QualifiedName, Query } from './ast.ts';
import type { Token } from './lexer.ts';
import type { Span } from './lift.ts';
import type { CreateTable, ObjectKind, ShowObjects, Statement, Subscribe } from './statements.ts';
import { parseFormat, parseOptions } from './streaming-clauses.ts';
import { parseRelation } from './streaming-relation.ts';
import { TokenCursor } from './token-cursor.ts';

/** What the streaming grammar needs of PostgreSQL's parser; spans are places of the whole text. */
export interface PostgresParts {
  query(span: Span): Query;
  expr(span: Span): Expr;
  /** CREATE TABLE in `text` (blanked, whole statement). */
  createTable(span: Span, blanks: readonly Span[], replace: Span | null): CreateTable;
  statement(tokens: readonly Token[]): Statement;
}

const DEFINABLE: readonly ObjectKind[] = [
  'source',
  'sink',
  'table',
  'view',
  'index',
  'schema',
  'subscription',
  'secret',
  'connection',
  'type',
  'function',
];

/** Whether the statement is ours even though PostgreSQL would take it: SHOW of objects. */
export function isDialectFirst(tokens: readonly Token[]): boolean {
  const cursor = new TokenCursor('', tokens);
  return cursor.take('show') && showObjects(cursor) !== null;
}

/** Parses a statement of the dialect; throws a syntax error at the first token that does not fit. */
export function parseStreaming(
  text: string,
  tokens: readonly Token[],
  parts: PostgresParts,
): Statement {
  const cursor = new TokenCursor(text, tokens);
  const position = cursor.position;
  const word = tokens[0]?.type === 'word' ? tokens[0].text : '';
  const parse = STATEMENTS[word];
  if (parse === undefined) throw cursor.error();
  cursor.index++;
  const statement = parse(cursor, parts, position);
  cursor.expectEnd();
  return statement;
}

type StatementParser = (cursor: TokenCursor, parts: PostgresParts, position: number) => Statement;

const STATEMENTS: Readonly<Record<string, StatementParser>> = {
  create: parseCreate,
  subscribe: (cursor, parts, position) => parseSubscribe(cursor, parts, position),
  show: parseShow,
  describe: (cursor, _parts, position) =>
    node({ kind: 'describe', position, name: cursor.qualifiedName() }),
  desc: (cursor, _parts, position) =>
    node({ kind: 'describe', position, name: cursor.qualifiedName() }),
  check: (cursor, _parts, position) => {
    cursor.expect('materialized', 'view');
    return node({ kind: 'check_view', position, name: cursor.qualifiedName() });
  },
  replay: parseReplay,
  drop: parseDrop,
  alter: parseAlter,
  comment: parseComment,
  pause: (cursor, _parts, position) => parseJobControl(cursor, 'pause', position),
  resume: (cursor, _parts, position) => parseJobControl(cursor, 'resume', position),
  explain: parseExplain,
  copy: parseCopy,
  declare: parseDeclare,
};

function objectKind(cursor: TokenCursor): ObjectKind {
  if (cursor.take('materialized', 'view')) return 'materialized view';
  for (const kind of DEFINABLE) if (cursor.take(kind)) return kind;
  throw cursor.error();
}

// ---------------------------------------------------------------------------------------------- CREATE

function parseCreate(cursor: TokenCursor, parts: PostgresParts): Statement {
  const orReplace = cursor.take('or', 'replace');
  if (cursor.take('materialized', 'view')) return parseMaterializedView(cursor, parts, orReplace);
  if (orReplace) throw cursor.error();
  if (cursor.take('sink')) return parseSink(cursor, parts);
  const isTemporary = cursor.take('temporary') || cursor.take('temp');
  if (cursor.sees('table') || (!isTemporary && cursor.sees('source'))) {
    return parseRelation(cursor, parts, isTemporary);
  }
  for (const kind of ['subscription', 'secret', 'connection', 'alert']) {
    if (cursor.sees(kind)) {
      const position = cursor.position;
      cursor.index = cursor.tokens.length;
      return node({ kind: 'unsupported', position, feature: `CREATE ${kind.toUpperCase()}` });
    }
  }
  throw cursor.error();
}

function ifNotExists(cursor: TokenCursor): boolean {
  return cursor.take('if', 'not', 'exists');
}

/** Whether EMIT ... starts at token `index`. */
function isEmit(cursor: TokenCursor, index: number): boolean {
  const at = new TokenCursor(cursor.text, cursor.tokens);
  at.index = index;
  if (cursor.tokens[index - 1]?.text === 'as' || cursor.tokens[index - 1]?.text === '.')
    return false;
  return (
    at.sees('emit', 'on', 'update') ||
    at.sees('emit', 'on', 'window', 'close') ||
    at.sees('emit', 'periodic')
  );
}

function parseEmit(
  cursor: TokenCursor,
  parts: PostgresParts,
  stops: (i: number) => boolean,
): Emit | null {
  const position = cursor.position;
  if (!cursor.take('emit')) return null;
  if (cursor.take('on', 'update'))
    return node<Emit>({ kind: 'emit', position, mode: 'update', period: null });
  if (cursor.take('on', 'window', 'close')) {
    return node<Emit>({ kind: 'emit', position, mode: 'window_close', period: null });
  }
  cursor.expect('periodic');
  const period = parts.expr(cursor.span(stops));
  return node<Emit>({ kind: 'emit', position, mode: 'periodic', period });
}

function isWithData(cursor: TokenCursor, index: number): boolean {
  const rest = cursor.tokens
    .slice(index)
    .map((token) => token.text)
    .join(' ');
  return rest === 'with data' || rest === 'with no data';
}

function parseMaterializedView(
  cursor: TokenCursor,
  parts: PostgresParts,
  orReplace: boolean,
): Statement {
  const exists = ifNotExists(cursor);
  const name = cursor.qualifiedName();
  const columns = parenthesisedNames(cursor);
  const options = cursor.take('with') ? parseOptions(cursor) : [];
  cursor.expect('as');
  const span = cursor.span((i) => isEmit(cursor, i) || isWithData(cursor, i));
  const emit = parseEmit(cursor, parts, (i) => isWithData(cursor, i));
  const withData = !cursor.take('with', 'no', 'data');
  cursor.take('with', 'data');
  return node({
    kind: 'create_materialized_view',
    position: name.position,
    name,
    columns,
    orReplace,
    ifNotExists: exists,
    options,
    query: parts.query(span),
    queryText: cursor.text.slice(span.start, span.end),
    emit,
    withData,
  });
}

function parenthesisedNames(cursor: TokenCursor): string[] {
  if (!cursor.take('(')) return [];
  const names = cursor.names();
  cursor.expect(')');
  return names;
}

function parseSink(cursor: TokenCursor, parts: PostgresParts): Statement {
  const exists = ifNotExists(cursor);
  const name = cursor.qualifiedName();
  let into: QualifiedName | null = null;
  let intoColumns: string[] = [];
  const takeInto = () => {
    if (into !== null || !cursor.take('into')) return;
    into = cursor.qualifiedName();
    intoColumns = parenthesisedNames(cursor);
  };
  takeInto();
  const stops = (i: number) => isEmit(cursor, i) || isSinkTail(cursor, i);
  let span: Span | null = null;
  let from: QualifiedName | null = null;
  if (cursor.take('from')) from = cursor.qualifiedName();
  else {
    cursor.expect('as');
    span = cursor.span(stops);
  }
  takeInto();
  const emit = parseEmit(cursor, parts, stops);
  takeInto();
  const options = cursor.take('with') ? parseOptions(cursor) : [];
  const format = cursor.sees('format') ? parseFormat(cursor) : null;
  return node({
    kind: 'create_sink',
    position: name.position,
    name,
    ifNotExists: exists,
    from,
    query: span === null ? null : parts.query(span),
    queryText: span === null ? null : cursor.text.slice(span.start, span.end),
    into,
    intoColumns,
    emit,
    options,
    format,
  });
}

/** WITH ( option ... ) after the query: a WITH whose parenthesis is followed by a name and `=`. */
function isSinkTail(cursor: TokenCursor, index: number): boolean {
  const texts = cursor.tokens.slice(index, index + 2).map((token) => token.text);
  if (texts[0] === 'with' && texts[1] === '(') return true;
  return (
    (texts[0] === 'format' && cursor.tokens[index + 2]?.text === 'encode') || texts[0] === 'into'
  );
}

// ---------------------------------------------------------------------------------------------- SUBSCRIBE

function parseSubscribe(cursor: TokenCursor, parts: PostgresParts, position: number): Subscribe {
  cursor.take('to');
  let relation: QualifiedName | null = null;
  let span: Span | null = null;
  if (cursor.sees('(')) {
    const close = cursor.closing(cursor.index);
    span = { start: cursor.position, end: cursor.tokens[close]!.end };
    cursor.index = close + 1;
  } else relation = cursor.qualifiedName();
  const options = cursor.take('with') ? parseOptions(cursor) : [];
  const asOf = cursor.take('as', 'of')
    ? parts.expr(cursor.span((i) => cursor.tokens[i]!.text === 'envelope'))
    : null;
  let envelope: Subscribe['envelope'] = null;
  if (cursor.take('envelope')) {
    cursor.expect('upsert', '(', 'key');
    const key = parenthesisedNames(cursor);
    cursor.expect(')');
    envelope = node({ type: 'upsert' as const, key });
  }
  return node({
    kind: 'subscribe',
    position,
    relation,
    query: span === null ? null : parts.query(span),
    queryText: span === null ? null : cursor.text.slice(span.start, span.end),
    options,
    asOf,
    envelope,
  });
}

function parseCopy(cursor: TokenCursor, parts: PostgresParts, position: number): Statement {
  cursor.expect('(');
  const inner = cursor.position;
  cursor.expect('subscribe');
  const subscribe = parseSubscribe(cursor, parts, inner);
  cursor.expect(')', 'to', 'stdout');
  const options = cursor.take('with') || cursor.sees('(') ? parseOptions(cursor) : [];
  return node({
    kind: 'copy',
    position,
    table: null,
    columns: [],
    query: null,
    subscribe,
    direction: 'to',
    file: null,
    isProgram: false,
    options,
    where: null,
  });
}

function parseDeclare(cursor: TokenCursor, parts: PostgresParts, position: number): Statement {
  const name = cursor.identifier();
  const isBinary = cursor.take('binary');
  cursor.take('insensitive');
  let scroll: boolean | null = null;
  if (cursor.take('no', 'scroll')) scroll = false;
  else if (cursor.take('scroll')) scroll = true;
  cursor.expect('cursor');
  const isWithHold = cursor.take('with', 'hold');
  cursor.take('without', 'hold');
  cursor.expect('for');
  const inner = cursor.position;
  cursor.expect('subscribe');
  const subscribe = parseSubscribe(cursor, parts, inner);
  return node({
    kind: 'declare_cursor',
    position,
    name,
    isBinary,
    scroll,
    isWithHold,
    query: null,
    subscribe,
  });
}

// ---------------------------------------------------------------------------------------------- SHOW and the like

const SHOWN: readonly ShowObjects['objects'][] = [
  'sources',
  'tables',
  'views',
  'sinks',
  'indexes',
  'jobs',
  'schemas',
  'databases',
  'columns',
  'subscriptions',
  'connections',
  'secrets',
  'functions',
];

function showObjects(cursor: TokenCursor): ShowObjects['objects'] | null {
  if (cursor.take('materialized', 'views')) return 'materialized views';
  return SHOWN.find((objects) => cursor.take(objects)) ?? null;
}

function parseShow(cursor: TokenCursor, _parts: PostgresParts, position: number): Statement {
  if (cursor.take('create')) {
    return node({
      kind: 'show_create',
      position,
      object: objectKind(cursor),
      name: cursor.qualifiedName(),
    });
  }
  const objects = showObjects(cursor);
  if (objects === null) throw cursor.error();
  const from = cursor.take('from') || cursor.take('in') ? cursor.qualifiedName() : null;
  const like = cursor.take('like') ? cursor.string() : null;
  return node({ kind: 'show_objects', position, objects, from, like });
}

function parseReplay(cursor: TokenCursor, parts: PostgresParts, position: number): Statement {
  cursor.expect('dead', 'letters', 'for');
  const relation = cursor.qualifiedName();
  const where = cursor.take('where') ? parts.expr(cursor.span(() => false)) : null;
  return node({ kind: 'replay_dead_letters', position, relation, where });
}

function parseDrop(cursor: TokenCursor, _parts: PostgresParts, position: number): Statement {
  const object = objectKind(cursor);
  const ifExists = cursor.take('if', 'exists');
  const names = [cursor.qualifiedName()];
  while (cursor.take(',')) names.push(cursor.qualifiedName());
  const behavior = cursor.take('cascade') ? 'cascade' : 'restrict';
  if (behavior === 'restrict') cursor.take('restrict');
  return node({ kind: 'drop', position, object, names, ifExists, behavior });
}

function parseAlter(cursor: TokenCursor, _parts: PostgresParts, _position: number): Statement {
  const object = objectKind(cursor);
  const ifExists = cursor.take('if', 'exists');
  const name = cursor.qualifiedName();
  const alter = (action: Parameters<typeof node>[0]) =>
    node({
      kind: 'alter',
      position: name.position,
      object,
      name,
      ifExists,
      actions: [action],
    }) as Statement;
  if (cursor.take('rename', 'to'))
    return alter(node({ kind: 'rename', newName: cursor.identifier() }));
  if (cursor.take('set', 'schema'))
    return alter(node({ kind: 'set_schema', schema: cursor.identifier() }));
  if (cursor.take('swap', 'with'))
    return alter(node({ kind: 'swap_with', other: cursor.qualifiedName() }));
  if (cursor.take('set'))
    return alter(node({ kind: 'set_options', options: parseOptions(cursor) }));
  if (cursor.take('reset', '(')) {
    const names = cursor.names();
    cursor.expect(')');
    return alter(node({ kind: 'reset_options', names }));
  }
  throw cursor.error();
}

function parseComment(cursor: TokenCursor, _parts: PostgresParts, position: number): Statement {
  cursor.expect('on');
  const object = objectKind(cursor);
  const name = cursor.qualifiedName();
  cursor.expect('is');
  const text = cursor.take('null') ? null : cursor.string();
  return node({ kind: 'comment', position, object, name, text });
}

function parseJobControl(
  cursor: TokenCursor,
  action: 'pause' | 'resume',
  position: number,
): Statement {
  return node({
    kind: 'job_control',
    position,
    action,
    object: objectKind(cursor),
    name: cursor.qualifiedName(),
  });
}

function parseExplain(cursor: TokenCursor, parts: PostgresParts, position: number): Statement {
  const flag = (name: string) =>
    node({
      kind: 'option' as const,
      position: cursor.position,
      name,
      value: null,
      valuePosition: cursor.position,
      list: null,
    });
  const options = cursor.sees('(') ? [...parseOptions(cursor)] : [];
  if (cursor.take('analyze')) options.push(flag('analyze'));
  if (cursor.take('verbose')) options.push(flag('verbose'));
  if (cursor.take('materialized', 'view')) {
    return node({
      kind: 'explain',
      position,
      options,
      view: cursor.qualifiedName(),
      statement: null,
    });
  }
  const rest = cursor.tokens.slice(cursor.index);
  if (rest.length === 0) throw cursor.error();
  if (['explain', 'begin', 'commit', 'set', 'show'].includes(rest[0]!.text)) {
    throw new SqlError('42601', cursor.error().message, { position: cursor.position });
  }
  cursor.index = cursor.tokens.length;
  return node({ kind: 'explain', position, options, view: null, statement: parts.statement(rest) });
}
