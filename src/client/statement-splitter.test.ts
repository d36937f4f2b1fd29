import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitStatements } from './statement-splitter.ts';

const cases: readonly [name: string, text: string, complete: string][] = [
  ['a statement ends at its semicolon', 'SELECT 1; SELECT', 'SELECT 1;'],
  ['not inside a string', "SELECT ';' ", ''],
  ['nor inside a doubled quote', "SELECT 'a'';' ; x", "SELECT 'a'';' ;"],
  ['nor inside an identifier', 'SELECT ";";', 'SELECT ";";'],
  ['nor inside dollar quotes', 'SELECT $a$ ; $$ ; $a$;', 'SELECT $a$ ; $$ ; $a$;'],
  ['a parameter is no dollar quote', 'SELECT $1; x', 'SELECT $1;'],
  ['nor inside comments', '/* ; /* ; */ ; */ -- ;\nSELECT 1;', '/* ; /* ; */ ; */ -- ;\nSELECT 1;'],
  ['nor inside parentheses', 'CREATE RULE r AS (a; b); x', 'CREATE RULE r AS (a; b);'],
];

for (const [name, text, complete] of cases) {
  test(name, () => {
    const split = splitStatements(text);
    assert.equal(split.complete, complete);
    assert.equal(split.complete + split.rest, text);
  });
}
