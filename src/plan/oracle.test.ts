import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { loadParser } from '../sql/parse.ts';
import type { Value } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, parseValue } from '../types/value.ts';
import { CASES, ROWS, SCHEMA } from './oracle-cases.ts';
import { type Row, runQuery } from './reference-interpreter.ts';
import { ScriptedCatalog } from './scripted-catalog.ts';

let scripted: ScriptedCatalog;
const tables = new Map<string, readonly Row[]>();

before(async () => {
  await loadParser();
  scripted = new ScriptedCatalog().define(SCHEMA);
  for (const [name, rows] of Object.entries(ROWS)) {
    const found = scripted.catalog.findRelation({ schema: null, name }, ['public']);
    assert.ok(found?.kind === 'table');
    const value = (text: string | null, i: number): Value =>
      text === null ? null : parseValue(must(found.columns[i]).type, text, DEFAULT_SETTINGS);
    tables.set(
      name,
      rows.map((row) => row.map(value)),
    );
  }
});

function answer(sql: string, optimize: boolean): readonly string[] {
  scripted.optimize = optimize;
  return runQuery(scripted.query(sql), tables);
}

/** ORDER BY outside parentheses. */
function isOrdered(sql: string): boolean {
  let outer = sql;
  for (let before = ''; before !== outer; ) {
    before = outer;
    outer = outer.replace(/\([^()]*\)/g, '');
  }
  return /order by/i.test(outer);
}

for (const optimize of [true, false]) {
  describe(`PostgreSQL's answers, optimizer ${optimize ? 'on' : 'off'}`, () => {
    for (const { sql, rows, error } of CASES) {
      test(sql, () => {
        if (error !== undefined) {
          const fails = (thrown: unknown) =>
            thrown instanceof SqlError && thrown.sqlstate === error;
          assert.throws(() => answer(sql, optimize), fails);
          return;
        }
        const got = answer(sql, optimize);
        const wanted = rows ?? [];
        if (isOrdered(sql)) assert.deepEqual(got, wanted);
        else assert.deepEqual([...got].sort(), [...wanted].sort());
      });
    }
  });
}
