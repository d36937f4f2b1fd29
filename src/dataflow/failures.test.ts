/** What goes wrong stays where it is: failing rows, failing views, sinks through restarts. */

import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import type { AggregateNode, PlanNode, ScanNode } from '../plan/plan-node.ts';
import { FLOAT8, INT8 } from '../types/data-type.ts';
import { createSource, createTable, createView, EngineBench } from './engine-bench.ts';
import { column } from './graph-bench.ts';
import { type CreateSinkAction, VIEW_ERRORS_ID } from './port.ts';

const TABLE = 20_001;
const VIEW = 20_002;
const SINK = 20_003;
const COLUMNS = [column('k', INT8), column('v', INT8)];
const TYPES = [INT8, INT8];

const TABLE_ACTION = createTable(TABLE, 't', COLUMNS);

const scan: ScanNode = {
  kind: 'scan',
  relation: { kind: 'table', id: TABLE, schema: 'public', name: 't' },
  columnIndexes: [0, 1],
  columns: COLUMNS,
};

const inverse: PlanNode = {
  kind: 'project',
  input: scan,
  expressions: [
    { kind: 'column', index: 0, type: INT8 },
    {
      kind: 'call',
      function: '/(int8,int8)',
      args: [
        { kind: 'literal', text: '100', type: INT8 },
        { kind: 'column', index: 1, type: INT8 },
      ],
      type: INT8,
    },
  ],
  columns: COLUMNS,
};

const counts: AggregateNode = {
  kind: 'aggregate',
  input: scan,
  keys: [0],
  calls: [
    { function: 'count()', args: [], isDistinct: false, filter: null, orderBy: [], type: INT8 },
  ],
  columns: [column('k', INT8), column('n', INT8)],
};

test('a failing row is withheld while it is there; nothing else notices', async () => {
  const bench = await EngineBench.open({ dataDir: ':memory:' });
  await bench.commit({
    ddl: [TABLE_ACTION, createView(VIEW, inverse), createView(VIEW + 1, counts)],
  });
  await bench.commit({ dml: [bench.dml(TABLE, TYPES, '+ 1 5\n+ 2 0\n+ 3 2')] });
  assert.equal(bench.read(VIEW), '+ 1 20\n+ 3 50');
  assert.equal(bench.read(VIEW + 1), '+ 1 1\n+ 2 1\n+ 3 1');
  assert.match(bench.read(VIEW_ERRORS_ID), /^\+ 20002 22012 "division by zero" /);
  await bench.commit({ dml: [bench.dml(TABLE, TYPES, '- 2 0\n+ 2 4')] });
  assert.equal(bench.read(VIEW), '+ 1 20\n+ 2 25\n+ 3 50');
  assert.equal(bench.read(VIEW_ERRORS_ID), '');
  assert.equal(bench.opened.engine.status().jobs[0]!.withheld, 0);
});

test('a sum that does not fit withholds its group until it fits again', async () => {
  const sums: AggregateNode = {
    ...counts,
    calls: [{ ...counts.calls[0]!, function: 'sum(float8)', args: [1], type: FLOAT8 }],
    columns: [column('k', INT8), column('n', FLOAT8)],
  };
  const floatColumns = [column('k', INT8), { name: 'v', type: FLOAT8 }];
  const table = {
    ...TABLE_ACTION,
    columns: floatColumns,
    schema: { ...TABLE_ACTION.schema, storages: ['i64' as const, 'f64' as const] },
  };
  const input = { ...scan, columns: floatColumns };
  const bench = await EngineBench.open({ dataDir: ':memory:' });
  await bench.commit({ ddl: [table, createView(VIEW, { ...sums, input })] });
  const types = [INT8, FLOAT8];
  await bench.commit({ dml: [bench.dml(TABLE, types, '+ 1 5\n+ 2 7')] });
  const huge = '+ 1 1e308\n+ 1 1.5e308';
  await bench.commit({ dml: [bench.dml(TABLE, types, huge)] });
  assert.equal(bench.read(VIEW), '+ 2 7');
  assert.match(bench.read(VIEW_ERRORS_ID), /22003/);
  await bench.commit({ dml: [bench.dml(TABLE, types, huge.replaceAll('+', '-'))] });
  assert.equal(bench.read(VIEW), '+ 1 5\n+ 2 7');
  assert.equal(bench.read(VIEW_ERRORS_ID), '');
});

test('a view whose belief breaks stops alone', async () => {
  const bench = await EngineBench.open({ dataDir: ':memory:' });
  const appendOnly = { ...scan, properties: { key: null, isAppendOnly: true, watermarks: [] } };
  const broken: PlanNode = {
    kind: 'join',
    joinKind: 'inner',
    left: appendOnly,
    right: appendOnly,
    leftKeys: [0],
    rightKeys: [0],
    nullsEqual: false,
    residual: null,
    columns: [...COLUMNS, ...COLUMNS],
  };
  await bench.commit({
    ddl: [TABLE_ACTION, createView(VIEW, broken), createView(VIEW + 1, counts)],
  });
  await bench.commit({ dml: [bench.dml(TABLE, TYPES, '+ 1 5')] });
  await bench.commit({ dml: [bench.dml(TABLE, TYPES, '- 1 5\n+ 2 6')] });
  const [stopped, other] = bench.opened.engine.status().jobs;
  assert.equal(stopped!.state, 'failed');
  assert.match(stopped!.error!, /append-only/);
  assert.equal(other!.state, 'running');
  assert.equal(other!.epoch, bench.control.published);
  assert.equal(stopped!.epoch, bench.control.published - 1, 'the last epoch that it took part in');
  assert.equal(bench.read(VIEW + 1), '+ 2 1');
});

function createSink(): CreateSinkAction {
  const { plan, settings } = createView(SINK, counts);
  return {
    kind: 'create_sink',
    id: SINK,
    name: 'k',
    plan,
    settings,
    connector: { name: 'k' },
    uuid: 'u',
  };
}

test('a sink has every epoch once, in order, through restarts', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-sink-'));
  try {
    let bench = await EngineBench.open({ dataDir: directory });
    await bench.commit({ ddl: [TABLE_ACTION] });
    await bench.commit({ dml: [bench.dml(TABLE, TYPES, '+ 2 5\n+ 1 5\n+ 1 6')] });
    await bench.commit({ ddl: [createSink()] });
    await bench.opened.engine.checkpoint();
    await bench.commit({ dml: [bench.dml(TABLE, TYPES, '- 1 5\n+ 3 1')] });
    const before = bench.delivered.length;
    assert.equal(before, 5);
    await bench.opened.close();
    bench = await EngineBench.open({ dataDir: directory }, bench);
    assert.equal(bench.delivered.length, before);
    await bench.commit({ dml: [bench.dml(TABLE, TYPES, '- 2 5')] });
    const rows = bench.delivered.map((line) => line.replace(/^\d+ /, ''));
    assert.deepEqual(rows, ['+ 1 2', '+ 2 1', '- 1 2', '+ 1 1', '+ 3 1', '- 2 1']);
    await bench.opened.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a start removes what sinks kept that were never made, and nothing else', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-sink-'));
  const uuid = (last: string) => `0b5f64a1-9d0c-4f52-8a53-1de9b2f0000${last}`;
  const source = {
    ...createSource(SINK + 1, 's', COLUMNS, null),
    letterUuid: uuid('2'),
  };
  try {
    const bench = await EngineBench.open({ dataDir: directory });
    await bench.commit({ ddl: [TABLE_ACTION, { ...createSink(), uuid: uuid('1') }, source] });
    const sinks = join(directory, 'sinks');
    const kept = [uuid('1'), uuid('2'), `${uuid('3')}.old`, 'another'];
    for (const name of [...kept, uuid('4')]) mkdirSync(join(sinks, name), { recursive: true });
    writeFileSync(join(sinks, uuid('4'), '1'), 'rows');
    writeFileSync(join(sinks, uuid('5')), 'a file');
    symlinkSync(join(sinks, 'another'), join(sinks, uuid('6')));
    const copy = `${directory}-copy`;
    cpSync(directory, copy, { recursive: true, verbatimSymlinks: true });
    const again = await EngineBench.open({ dataDir: copy }, bench);
    assert.deepEqual(
      readdirSync(join(copy, 'sinks')).sort(),
      [...kept, uuid('5'), uuid('6')].sort(),
    );
    const removed = again.logged.filter((line) => line.includes('never made'));
    assert.deepEqual(removed, [`info removed what a sink kept that was never made (${uuid('4')})`]);
    await again.opened.close();
    await bench.opened.close();
    rmSync(copy, { recursive: true });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('of a commit that is refused because of its second sink the first one is not left', async (context) => {
  const bench = await EngineBench.open({ dataDir: ':memory:' });
  await bench.commit({ ddl: [TABLE_ACTION] });
  const { parts } = bench.opened.engine.step;
  const openSink = parts.openSink.bind(parts);
  context.mock.method(parts, 'openSink', (action: CreateSinkAction) => {
    if (action.id !== SINK) throw new SqlError('42501', 'no such place');
    return openSink(action);
  });
  const { plan, settings } = createView(VIEW, scan);
  const sink = { kind: 'create_sink', plan, settings, connector: { name: 'k' } } as const;
  const ddl = [
    { ...sink, id: SINK, name: 'a', uuid: 'a' },
    { ...sink, id: SINK + 1, name: 'b', uuid: 'b' },
  ];
  await assert.rejects(bench.commit({ ddl }), { sqlstate: '42501' });
  assert.equal(parts.sinks.get(SINK), undefined);
  await bench.opened.close();
});
