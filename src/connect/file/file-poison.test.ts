/** Records of a file that cannot be decoded: each is one dead letter, whole and in order, whatever is around it. */

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { buildKernels } from '../../kernels/build.ts';
import { type KernelMode, setKernelMode } from '../../kernels/kernels.ts';
import { INT4, TEXT } from '../../types/data-type.ts';
import type { RejectedRecord } from '../source.ts';
import { type Read, SourceUnderTest, temporaryDirectory } from '../source-fixture.ts';

buildKernels();

/** As the fixture has it. */
const KEPT_BYTES = 1024;
const GOOD = '{"id":1,"name":"a"}';
const POISON: readonly Buffer[] = [
  '{"id":1,"name":"a"',
  'no JSON',
  '[1,2]',
  '{"id":"x"}',
  '{"id":1} more',
  '{"id":tru}',
  '{"id":1,"name":"\\u12"}',
  '{"id":1,"name":"tab\t"}',
  '{"id":99999999999}',
  `{"id":1,"name":"${'long'.repeat(20_000)}`,
  Buffer.from('{"name":"\xff\xfe"}', 'latin1'),
  Buffer.from('{"name\xff":1}', 'latin1'),
  Buffer.from('{"id":1}\0'),
].map((line) => Buffer.from(line));

interface Case {
  readonly name: string;
  readonly lines: readonly (Buffer | string)[];
}

const CASES: readonly Case[] = [
  { name: 'poison only', lines: POISON },
  { name: 'more poison than a batch', lines: Array.from({ length: 3000 }, (_, i) => `{"id":${i}`) },
  { name: 'the first and the last record of a batch', lines: framed() },
  { name: 'blank lines between', lines: POISON.flatMap((line) => ['', line, ' \t', GOOD]) },
  { name: 'one record', lines: ['{'] },
];

/** Batches of 1024 rows, each with poison before its first and behind its last. */
function framed(): (Buffer | string)[] {
  return POISON.slice(0, 4).flatMap((line) => [
    line,
    ...Array.from({ length: 1024 }, () => GOOD),
    line,
  ]);
}

function read(context: TestContext, lines: Case['lines'], mode: KernelMode, rowsMax: number): Read {
  const directory = temporaryDirectory(context);
  const parts = lines.flatMap((line) => [Buffer.from(line), Buffer.from('\n')]);
  fs.writeFileSync(path.join(directory, 'a.ndjson'), Buffer.concat(parts));
  setKernelMode(mode);
  try {
    const columns = [['id', INT4] as const, ['name', TEXT] as const];
    const spec = { connector: 'file', options: { path: 'a.ndjson' }, columns };
    const source = new SourceUnderTest(spec, [directory]);
    const all = source.poll(source.started(), rowsMax, 100_000);
    const { from } = all.chunks[0]!;
    const again = source.replay('0', from, all.chunks.at(-1)!.to);
    assert.deepEqual(again.rejected, all.rejected, 'a replay has the same letters');
    assert.deepEqual(again.rows, all.rows);
    return all;
  } finally {
    setKernelMode('auto');
  }
}

/** Everything but the directory, which each reading has for itself. */
function shown({ position, ...rest }: RejectedRecord): unknown {
  return { ...rest, position: { ...JSON.parse(String(position)), file: '' } };
}

for (const { name, lines } of CASES) {
  test(`${name}: every poison record is one letter, by both kernels and in batches of any size`, (context) => {
    const all = read(context, lines, 'auto', 1024);
    const poison = lines.filter((line) => line !== GOOD && line.toString().trim() !== '');
    assert.equal(all.rejected.length, poison.length);
    assert.equal(all.rows.length, lines.filter((line) => line === GOOD).length);
    for (const [i, line] of poison.entries()) {
      const { raw } = all.rejected[i]!;
      const bytes = Buffer.from(line);
      assert.deepEqual(Buffer.from(raw.value!), bytes.subarray(0, KEPT_BYTES));
      assert.equal(raw.isCut, bytes.length > KEPT_BYTES);
    }
    const letters = all.rejected.map(shown);
    for (const [mode, rowsMax] of [
      ['ts', 1024],
      ['auto', 7],
      ['ts', 1],
    ] as const) {
      const other = read(context, lines, mode, rowsMax);
      assert.deepEqual(other.rejected.map(shown), letters, `${mode}, ${rowsMax}`);
      assert.deepEqual(other.rows, all.rows);
    }
  });
}
