import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { type EnginePort, startEngine } from './client.ts';
import { type CreateTableAction, DEAD_LETTERS_ID, DEFAULT_ENGINE_OPTIONS } from './port.ts';

const createTable: CreateTableAction = {
  kind: 'create_table',
  id: 20_001,
  name: 't',
  columns: [],
  schema: { storages: [], key: null, isAppendOnly: false, indexes: [] },
  watermark: null,
};

function start(dataDir: string): Promise<EnginePort> {
  return startEngine(
    { ...DEFAULT_ENGINE_OPTIONS, dataDir },
    { log: () => {}, onDeath: (error) => assert.fail(error) },
  );
}

test('the worker commits, keeps its catalog, and lets go of the data directory', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-client-'));
  try {
    const catalog = { puts: [{ id: 20_001, name: 't' }], removes: [], nextId: 20_002 };
    let engine = await start(directory);
    const commit = engine.commit({ ddl: [createTable], catalog, dml: [] });
    assert.equal(engine.pendingRequests, 1);
    const { epoch, relations } = await commit;
    assert.equal(engine.pendingRequests, 0);
    assert.equal(relations[0]?.id, 20_001);
    assert.ok(engine.control.published >= epoch);
    assert.ok(engine.relation(DEAD_LETTERS_ID) !== undefined);
    await assert.rejects(
      engine.commit({ ddl: [], catalog: null, dml: [{ relationId: 7, rows: null, judge: 'row' }] }),
      { sqlstate: '42P01' },
    );
    assert.equal((await engine.status()).epoch, epoch);
    await engine.close();
    engine = await start(directory);
    assert.deepEqual(engine.recoveredCatalog, {
      objects: [{ id: 20_001, name: 't' }],
      nextId: 20_002,
    });
    assert.ok(engine.relation(20_001) !== undefined);
    await engine.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
