import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSlt, SltSyntaxError } from './parse.ts';
import { difference, resultLines, typeLetters } from './results.ts';

const RESULT = {
  command: 'SELECT',
  oids: [16, 23, 1700, 25],
  columns: ['a', 'b', 'c', 'd'],
  rows: [
    ['t', '2', '1.50', 'x\ty\nz'],
    [null, '1', '-1', ''],
  ],
  rowCount: 2,
};

test('records keep their modifiers, positions and results', () => {
  const file = parseSlt(
    'x.slt',
    `# a comment
server --workers 1

connection b
await 500
query IT rowsort label1
SELECT 1,
  'a'
----
1\ta

statement error 42703@8 ^column "x" does not exist$
SELECT x

kill9
`,
  );
  assert.deepEqual(file.serverArgs, ['--workers', '1']);
  assert.equal(file.isDurable, true);
  const [query, error, kill] = file.records;
  assert.ok(query?.kind === 'query' && error?.kind === 'statement' && kill?.kind === 'kill9');
  assert.equal(query.sql, "SELECT 1,\n  'a'");
  assert.deepEqual(
    [query.connection, query.awaitMs, query.types, query.sort, query.label, query.results],
    ['b', 500, 'IT', 'rowsort', 'label1', ['1\ta']],
  );
  assert.equal(error.connection, 'default');
  assert.ok(error.expected.kind === 'error');
  assert.deepEqual([error.expected.code, error.expected.position], ['42703', 8]);
  assert.ok(error.expected.pattern.test('column "x" does not exist'));
});

test('a file that is wrong names its line', () => {
  assert.throws(
    () => parseSlt('x.slt', 'query X\nSELECT 1\n'),
    (error) => error instanceof SltSyntaxError && error.message.startsWith('x.slt:1: '),
  );
  assert.throws(
    () => parseSlt('x.slt', '\nstatment ok\nSELECT 1\n'),
    /x\.slt:2: unknown directive/,
  );
  assert.throws(() => parseSlt('x.slt', 'statement error x y\nSELECT 1\n'), /SQLSTATE/);
});

test('values as lines', () => {
  assert.equal(typeLetters(RESULT), 'BIRT');
  assert.deepEqual(resultLines(RESULT, 'nosort'), [
    't\t2\t1.50\tx\\ty\\nz',
    'NULL\t1\t-1\t(empty)',
  ]);
  assert.deepEqual(resultLines(RESULT, 'rowsort')[0], 'NULL\t1\t-1\t(empty)');
  assert.equal(resultLines(RESULT, 'valuesort').length, 8);
});

test('rowsort compares without order, nosort with it', () => {
  assert.equal(difference(['b', 'a'], ['a', 'b'], 'rowsort'), null);
  assert.match(difference(['b', 'a'], ['a', 'b'], 'nosort') ?? '', /expected 2 rows/);
  assert.match(difference(['a'], ['a', 'a'], 'rowsort') ?? '', /got 2/);
});
