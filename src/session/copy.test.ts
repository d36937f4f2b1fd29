/** COPY: text and CSV both ways, what it computes for other columns, and where an error was. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import { RecordingWriter, SessionFixture, type TestSession } from './session-fixture.ts';

let fixture: SessionFixture;
let client: TestSession;

before(async () => {
  fixture = await SessionFixture.start();
  client = await fixture.open();
  await client.ok(`CREATE TABLE t (
    id int PRIMARY KEY, v varchar(5), n numeric(6, 2) DEFAULT 1.5,
    twice int GENERATED ALWAYS AS (id * 2) STORED, r float8 DEFAULT random(), CHECK (id < 1000000))`);
});

after(() => fixture.close());

/** Runs COPY ... FROM STDIN with these chunks: its tag, or SQLSTATE, message and detail. */
async function copy(statement: string, ...chunks: string[]): Promise<string> {
  const writer = new RecordingWriter();
  writer.input = chunks;
  try {
    await client.session.simpleQuery(statement, writer);
  } catch (error) {
    client.session.failed();
    if (error instanceof SqlError)
      return [
        error.sqlstate,
        error.message,
        `(${error.fields.detail ?? ''}${error.fields.where ?? ''})`,
      ].join(' ');
    throw error;
  }
  return writer.tags.join(' ');
}

test('text: chunks cut anywhere, NULL, escapes, the end marker', async () => {
  const chunks = ['1\tab', 'c\n2\t\\N\n3\ta\\tb\n', '4\t\n\\.\n5\tno\n'];
  assert.equal(await copy('COPY t (id, v) FROM STDIN', ...chunks), 'COPY 4');
  assert.equal(
    await client.run('SELECT id, v, n, twice, r < 1 FROM t ORDER BY id'),
    '1|abc|1.50|2|t 2|null|1.50|4|t 3|a\tb|1.50|6|t 4||1.50|8|t',
  );
});

test('CSV: header, quotes over lines, empty and quoted empty', async () => {
  const text = 'id,v\n11,"a,\nb"\n12,\n13,""\n\\.\n';
  assert.equal(await copy('COPY t (id, v) FROM STDIN CSV HEADER', text), 'COPY 3');
  assert.equal(
    await client.run('SELECT id, v FROM t WHERE id > 10 ORDER BY id'),
    '11|a,\nb 12|null 13|',
  );
});

for (const [input, expected] of [
  [
    '21\ta\nx\tb\n',
    '22P02 invalid input syntax for type integer: "x" (COPY t, line 2, column id: "x")',
  ],
  [
    '21\tabcdef\n',
    '22001 value too long for type character varying(5) (COPY t, line 1, column v: "abcdef")',
  ],
  ['21\n', '22P04 missing data for column "v" (COPY t, line 1)'],
  ['21\ta\tb\n', '22P04 extra data after last expected column (COPY t, line 1)'],
  [
    '21\ta\n1\tb\n',
    '23505 duplicate key value violates unique constraint "t_pkey" (Key (id)=(1) already exists.COPY t, lines 1 to 2)',
  ],
  [
    '21\ta\n21\tb\n',
    '23505 duplicate key value violates unique constraint "t_pkey" (Key (id)=(21) already exists.COPY t, lines 1 to 2)',
  ],
] as const) {
  test(`nothing is applied: ${expected}`, async () => {
    assert.equal(await copy('COPY t (id, v) FROM STDIN', input), expected);
    assert.equal(await client.run('SELECT count(*) FROM t WHERE id = 21'), '0');
  });
}

test('tables and columns that cannot be copied into', async () => {
  await client.ok('CREATE MATERIALIZED VIEW m AS SELECT id FROM t');
  assert.match(await copy('COPY nowhere FROM STDIN'), /^42P01 relation "nowhere" does not exist/);
  assert.match(await copy('COPY m FROM STDIN'), /^42809 cannot copy to materialized view "m"/);
  assert.match(await copy('COPY t (nope) FROM STDIN'), /^42703 column "nope" of relation "t"/);
  assert.match(await copy('COPY t (twice) FROM STDIN'), /^42P10 column "twice" is a generated/);
});

test('many rows and a long record', async () => {
  const rows = Array.from({ length: 5000 }, (_, index) => `${100 + index}\tv${index}\n`);
  assert.equal(await copy('COPY t (id, v) FROM STDIN', ...rows.map(String)), 'COPY 5000');
  assert.equal(await client.run('SELECT sum(id) FROM t WHERE id >= 100'), '12997500');
  await client.ok('CREATE TABLE long (v text)');
  const part = 'x'.repeat(65_536);
  const chunks = Array.from({ length: 64 }, () => part);
  assert.equal(await copy('COPY long FROM STDIN', ...chunks, '\n'), 'COPY 1');
  assert.equal(await client.run('SELECT length(v) FROM long'), String(64 * 65_536));
});

test('out again as it came in', async () => {
  const writer = new RecordingWriter();
  await client.run("COPY (SELECT 1, NULL, E'a\\tb\\\\c') TO STDOUT", writer);
  assert.equal(writer.copied, '1\t\\N\ta\\tb\\\\c\n');
  const csv = new RecordingWriter();
  await client.run("COPY (SELECT 1 AS a, NULL AS b, 'x\"y' AS c) TO STDOUT CSV HEADER", csv);
  assert.equal(csv.copied, 'a,b,c\n1,,"x""y"\n');
});
