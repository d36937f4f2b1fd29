/** Checkpoints and recovery: the newest whole checkpoint and the log behind it, damage refused, one server a directory. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import Database from 'better-sqlite3';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { INT8, TEXT } from '../types/data-type.ts';
import { buildBatch } from './batch-fixture.ts';
import { CheckpointWriter } from './checkpoint.ts';
import { CheckpointStore } from './checkpoint-store.ts';
import { DataDir } from './data-dir.ts';
import { EpochControl } from './epoch-control.ts';
import { encodeLogEntry } from './manifest.ts';
import { recover } from './recovery.ts';
import { RelationReader } from './relation-reader.ts';
import type { RelationSchema } from './relation-schema.ts';
import { StorageClient } from './storage-client.ts';
import { StoredRelation } from './stored-relation.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-state-'));
after(() => fs.rmSync(root, { recursive: true }));
let directories = 0;

const SCHEMA: RelationSchema = {
  storages: ['i64', 'view'],
  key: [0],
  isAppendOnly: false,
  indexes: [],
};

async function openFresh(): Promise<DataDir> {
  return DataDir.open(path.join(root, String(directories++)));
}

class Engine {
  readonly memory: Memory;
  readonly control = new EpochControl();
  readonly relation: StoredRelation;
  readonly #scratch: Scratch;

  constructor(memory = Memory.create()) {
    this.memory = memory;
    this.relation = StoredRelation.open(memory, memory.rootCell(0), SCHEMA, this.control);
    this.#scratch = new Scratch(Memory.create());
  }

  commit(epoch: number, rows: readonly (readonly [bigint, string])[]): void {
    this.#scratch.reset();
    this.relation.begin(epoch);
    for (let i = 0; i < rows.length; i += 1000) {
      this.relation.apply(buildBatch([INT8, TEXT], rows.slice(i, i + 1000), this.#scratch));
    }
    this.relation.publish(epoch);
    this.control.publish(epoch);
    this.relation.compact();
  }

  count(): number {
    const { wasm } = this.memory;
    const reader = new RelationReader(wasm, this.relation.headerAddress, SCHEMA);
    return reader.rowCount(this.control.published);
  }
}

function rowsFrom(first: number, count: number): [bigint, string][] {
  return Array.from({ length: count }, (_, i) => [BigInt(first + i), `a longer text ${first + i}`]);
}

function recoverEngine(dir: DataDir): { engine: Engine; recovery: ReturnType<typeof recover> } {
  const memories = new Map<string, Memory>();
  const recovery = recover(dir.databasePath, dir.logDirectory, {
    createMemory: (name) => {
      const memory = Memory.create();
      memories.set(name, memory);
      return memory;
    },
  });
  const engine = new Engine(memories.get('t') ?? Memory.create());
  if (recovery.checkpoint !== null) engine.control.restore(recovery.checkpoint.epoch);
  return { engine, recovery };
}

test('recovery = the newest checkpoint, then the manifests behind it', async () => {
  const dir = await openFresh();
  const { engine, recovery } = recoverEngine(dir);
  const storage = new StorageClient(dir.databasePath);
  const writer = new CheckpointWriter(storage);
  const memories = new Map([['t', engine.memory]]);
  const manifest = { kind: 'epoch', nowUs: 1n, splits: [], dml: [], ddl: null } as const;
  const changed: number[] = [];
  for (let epoch = 1; epoch <= 4; epoch++) {
    recovery.log.append(encodeLogEntry({ ...manifest, epoch }));
    engine.commit(epoch, rowsFrom(epoch * 10_000, epoch === 1 ? 5000 : 3));
    if (epoch === 4) continue;
    await recovery.log.sync();
    const metadata = { jobs: epoch };
    const head = { epoch, position: recovery.log.end, reservedThrough: 100, metadata };
    changed.push((await writer.write(memories, head)).changedPages);
  }
  assert.ok(changed[1]! < changed[0]! / 2, `pages: ${changed}`);
  await storage.close();
  recovery.log.close();
  const again = recoverEngine(dir);
  assert.deepEqual(again.recovery.checkpoint?.metadata, { jobs: 3 });
  assert.equal(again.recovery.reservedThrough, 100);
  assert.equal(again.engine.count(), 5006);
  assert.deepEqual(
    [...again.recovery.entries()].map(({ manifest: { epoch } }) => epoch),
    [4],
  );
  again.engine.commit(5, rowsFrom(90_000, 10));
  assert.equal(again.engine.count(), 5016);
  again.recovery.log.close();
  dir.close();
});

test('a checkpoint that could not be saved is contained in the next one', async () => {
  const engine = new Engine();
  const store = new CheckpointStore(':memory:');
  let isFull = true;
  const writer = new CheckpointWriter({
    save: async (head, changes) => {
      if (isFull) throw new Error('full');
      store.save(head, changes);
      return 0;
    },
  });
  const memories = new Map([['t', engine.memory]]);
  const head = { epoch: 1, position: null, reservedThrough: 0, metadata: null };
  engine.commit(1, rowsFrom(0, 1000));
  await assert.rejects(writer.write(memories, head), /full/);
  isFull = false;
  const { changedPages } = await writer.write(memories, head);
  assert.equal(changedPages, engine.memory.imagePages().length);
  assert.equal((await writer.write(memories, head)).changedPages, 0);
  store.close();
});

test('every flipped bit of a checkpoint is found', async () => {
  const dir = await openFresh();
  const engine = new Engine();
  engine.commit(1, rowsFrom(0, 100));
  const store = new CheckpointStore(dir.databasePath);
  const writer = new CheckpointWriter({
    save: async (head, changes) => {
      store.save(head, changes);
      return 0;
    },
  });
  const head = { epoch: 1, position: null, reservedThrough: 0, metadata: 'here' };
  await writer.write(new Map([['t', engine.memory]]), head);
  store.close();
  const damages = [
    'UPDATE chunk SET bytes = zeroblob(65536) WHERE page = 0',
    'UPDATE chunk SET page = 77 WHERE page = (SELECT max(page) FROM chunk)',
    'DELETE FROM chunk WHERE page = (SELECT max(page) FROM chunk)',
    "UPDATE head SET json = replace(json, 'here', 'hare')",
  ];
  for (const sql of damages) {
    const copy = path.join(root, `copy-${directories++}.db`);
    fs.copyFileSync(dir.databasePath, copy);
    const db = new Database(copy);
    db.exec(sql);
    db.close();
    const logs = path.join(root, `logs-${directories++}`);
    assert.throws(() => recover(copy, logs, { createMemory: () => Memory.create() }), {
      sqlstate: 'XX001',
    });
    assert.ok(!fs.existsSync(logs), 'nothing was touched');
  }
  dir.close();
});

test('another format of the directory, a newer one of the catalog: refused', async () => {
  const dir = await openFresh();
  dir.close();
  fs.writeFileSync(path.join(dir.path, 'millrace.json'), '{"format":5,"incarnation":"x"}');
  await assert.rejects(DataDir.open(dir.path), /has format 5, this build reads 4; use a newer/);
  fs.writeFileSync(path.join(dir.path, 'millrace.json'), '{"format":2,"incarnation":"x"}');
  await assert.rejects(DataDir.open(dir.path), /has format 2, this build reads 4; use the mill/);
  fs.writeFileSync(path.join(dir.path, 'millrace.json'), 'nothing');
  await assert.rejects(DataDir.open(dir.path), /is damaged/);
  const file = path.join(root, 'newer.db');
  const db = new Database(file);
  db.pragma('user_version = 9');
  db.close();
  assert.throws(() => new CheckpointStore(file), /format 9/);
});

test('one server a directory; the kernel gives the lock back when the process is killed', async () => {
  const dir = await openFresh();
  await assert.rejects(DataDir.open(dir.path, 0), /in use by another server/);
  const { incarnation } = dir;
  dir.close();
  const script = `import { DataDir } from ${JSON.stringify(new URL('./data-dir.ts', import.meta.url).href)};
    await DataDir.open(${JSON.stringify(dir.path)}); console.log('open'); setInterval(() => 0, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  await assert.rejects(DataDir.open(dir.path, 0), /in use by another server/);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const again = await DataDir.open(dir.path);
  assert.equal(again.incarnation, incarnation);
  again.close();
});
