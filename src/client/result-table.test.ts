import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTable } from './result-table.ts';

test('a table as psql prints it', () => {
  const columns = [
    { name: 'city', isNumeric: false },
    { name: 'n', isNumeric: true },
  ];
  assert.equal(
    formatTable(columns, [
      ['Zürich', '10'],
      ['東京', '2'],
      [null, null],
    ]),
    '  city  | n  \n--------+----\n Zürich | 10\n 東京   |  2\n        |\n(3 rows)\n'.replace(
      'n  \n',
      'n\n',
    ),
  );
});

test('lines of a cell are kept apart and control characters are shown', () => {
  const columns = [
    { name: 'a', isNumeric: false },
    { name: 'b', isNumeric: false },
  ];
  assert.equal(
    formatTable(columns, [['x\ny', '\u001b[31m']]),
    ' a |    b\n---+----------\n x+| \\x1b[31m\n y |\n(1 row)\n',
  );
});
