/**
 * Opening an engine over a data directory: the newest checkpoint, then every manifest behind it, then new epochs
 * (semantics.md rules 1-3). With `:memory:` there is nothing to open and nothing is kept.
 */

import type { Clock } from '../base/clock.ts';
import { Memory } from '../memory/memory.ts';
import { CheckpointWriter } from '../state/checkpoint.ts';
import { DataDir } from '../state/data-dir.ts';
import type { EpochControl } from '../state/epoch-control.ts';
import { EpochNumbers } from '../state/epoch-numbers.ts';
import { recover } from '../state/recovery.ts';
import { StorageClient } from '../state/storage-client.ts';
import { Engine } from './engine.ts';
import type { EngineMetadata } from './engine-state.ts';
import type { Connectors } from './feed-context.ts';
import { Foreseen } from './foreseen.ts';
import type { EngineOptions } from './port.ts';

export interface OpenSetup {
  readonly options: EngineOptions;
  readonly control: EpochControl;
  readonly clock: Clock;
  readonly connectors: Connectors;
  wake(): void;
  onEpoch(epoch: number): void;
  log(level: 'info' | 'warn' | 'error', text: string): void;
  /** A view or sink has stopped for good: reading it is refused from now on (rule 29). */
  onStopped(id: number, reason: string): void;
}

/** A running engine and how to put it away. */
export interface OpenEngine {
  readonly engine: Engine;
  /** Stops, writes a last checkpoint, lets go of the data directory. */
  close(): Promise<void>;
}

export async function openEngine(setup: OpenSetup): Promise<OpenEngine> {
  if (setup.options.dataDir === ':memory:') return openInMemory(setup);
  const dataDir = await DataDir.open(setup.options.dataDir);
  try {
    return openDirectory(setup, dataDir);
  } catch (error) {
    dataDir.close();
    throw error;
  }
}

function openInMemory(setup: OpenSetup): OpenEngine {
  const incarnation = 'memory';
  const memories = new Map<string, Memory>();
  const engine = new Engine({
    ...setup,
    incarnation,
    sinkRoot: null,
    memories,
    metadata: null,
    lastEpoch: 0,
  });
  engine.start({ log: null, numbers: new EpochNumbers(null, 0), checkpoints: null });
  return {
    engine,
    close: async () => {
      engine.stop();
      await engine.tellLastPositions();
      engine.step.parts.close();
    },
  };
}

function openDirectory(setup: OpenSetup, dataDir: DataDir): OpenEngine {
  const memories = new Map<string, Memory>();
  const maxBytes = setup.options.stateBytesMax;
  const { databasePath, logDirectory, sinkDirectory, incarnation } = dataDir;
  const foreseen = new Foreseen();
  const recovery = recover(databasePath, logDirectory, {
    createMemory: (name) => {
      const memory = Memory.create({ maxBytes });
      memories.set(name, memory);
      return memory;
    },
    foresee: (manifest) => foreseen.note(manifest),
  });
  const storage = new StorageClient(databasePath);
  const checkpoints = new CheckpointWriter(storage);
  checkpoints.assumeSaved(memories);
  const { checkpoint, log } = recovery;
  if (checkpoint !== null && checkpoint.epoch > 0) setup.control.restore(checkpoint.epoch);
  const metadata = (checkpoint?.metadata ?? null) as EngineMetadata | null;
  const engine = new Engine({
    ...setup,
    incarnation,
    sinkRoot: sinkDirectory,
    memories,
    metadata,
    foreseenOptions: foreseen.options,
    forgotten: foreseen.forgotten(metadata),
    lastEpoch: recovery.reservedThrough,
  });
  let replayed = 0;
  for (const { manifest } of recovery.entries()) {
    engine.replay(manifest);
    replayed += 1;
  }
  if (replayed > 0) setup.log('info', `replayed ${replayed} epochs of the log`);
  removeStraySinks(dataDir, engine, setup);
  engine.start({ log, numbers: new EpochNumbers(log, recovery.reservedThrough), checkpoints });
  return {
    engine,
    close: async () => {
      engine.stop();
      try {
        await engine.checkpoint();
        await engine.tellLastPositions();
      } finally {
        engine.step.parts.close();
        log.close();
        await storage.close();
        dataDir.close();
      }
    },
  };
}

/** What a crash in the middle of CREATE SINK has left goes. */
function removeStraySinks(dataDir: DataDir, engine: Engine, { log }: OpenSetup): void {
  for (const { name, problem } of dataDir.removeStraySinks(engine.step.parts.sinkUuids())) {
    const what = `what a sink kept that was never made (${name})`;
    if (problem === null) log('info', `removed ${what}`);
    else log('warn', `could not remove ${what}: ${problem}`);
  }
}
