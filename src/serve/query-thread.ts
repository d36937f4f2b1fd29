/** A thread of the query pool: runs one query at a time over published snapshots, which it reads without locks. */

import { SqlError } from '../base/sql-error.ts';
import { toPortError } from '../base/threads.ts';
import { packBatch } from '../batch/pack.ts';
import { setKernelMode } from '../kernels/kernels.ts';
import { RelationReader } from '../state/relation-reader.ts';
import { CANCEL_WORD, CREDIT_WORD, type FromQuery, type QueryTask } from './pool-port.ts';
import { QueryExecution } from './query-execution.ts';
import { type QueryMemory, QueryMemoryPool } from './query-memory.ts';
import { SnapshotInputs } from './snapshot-inputs.ts';

const ROWS_A_MESSAGE = 1024;

let memories: QueryMemoryPool | null = null;

/** The pool's task (piscina calls a worker's `run`). */
export function run(task: QueryTask): void {
  setKernelMode(task.kernels);
  memories ??= new QueryMemoryPool(task.queryMemoryBytes);
  const memory = memories.acquire();
  const post = (message: FromQuery, transfer: ArrayBuffer[] = []) =>
    task.port.postMessage(message, transfer);
  try {
    runQuery(task, memory, post);
    post({ kind: 'end' });
  } catch (error) {
    post({ kind: 'error', error: toPortError(error) });
  } finally {
    memories.release(memory);
  }
}

function runQuery(
  task: QueryTask,
  memory: QueryMemory,
  post: (message: FromQuery, transfer: ArrayBuffer[]) => void,
): void {
  const control = new Int32Array(task.control);
  const execution = new QueryExecution({ ...requestOf(task) }, inputsOf(task), memory);
  const types = task.plan.node.columns
    .slice(0, task.plan.visibleCount)
    .map((column) => column.type);
  while (!execution.isFinished) {
    checkCancel(control);
    if (!execution.hasRows) {
      execution.step();
      continue;
    }
    awaitCredit(control);
    const mark = memory.scratch.mark();
    const batch = execution.take(ROWS_A_MESSAGE);
    if (batch !== null) {
      const bytes = packBatch(batch, types);
      post({ kind: 'rows', bytes }, [bytes.buffer as ArrayBuffer]);
    }
    memory.scratch.release(mark);
  }
}

function requestOf(task: QueryTask) {
  return {
    plan: task.plan,
    limit: task.limit ?? Number.POSITIVE_INFINITY,
    offset: task.offset,
    settings: task.settings,
    environment: null,
    nowUs: task.nowUs,
    batchRowsMax: task.batchRowsMax,
  };
}

function inputsOf(task: QueryTask): SnapshotInputs {
  const readers = new Map(
    task.relations.map(({ id, wasm, headerAddress, schema }) => [
      id,
      new RelationReader(wasm, headerAddress, schema),
    ]),
  );
  return new SnapshotInputs({
    reader: (id) => readers.get(id),
    epoch: task.epoch,
    checkEpoch: () => checkCancel(new Int32Array(task.control)),
    writes: null,
    systemRows: (schema, name) => {
      throw new SqlError('0A000', `${schema}.${name} cannot be read here`);
    },
  });
}

/** The main thread throws the reason; here only the work has to end. */
function checkCancel(control: Int32Array): void {
  if (Atomics.load(control, CANCEL_WORD) !== 0) {
    throw new SqlError('57014', 'canceling statement due to user request');
  }
}

/** Waits until the reader can take one more batch. */
function awaitCredit(control: Int32Array): void {
  while (Atomics.load(control, CREDIT_WORD) <= 0) {
    checkCancel(control);
    Atomics.wait(control, CREDIT_WORD, 0);
  }
  checkCancel(control);
  Atomics.sub(control, CREDIT_WORD, 1);
}
