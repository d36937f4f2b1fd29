/** A thread of the query pool: runs one query at a time over published snapshots, which it reads without locks. */

import { SystemClock } from '../base/clock.ts';
import { systemRandom } from '../base/random.ts';
import { SqlError } from '../base/sql-error.ts';
import { toPortError } from '../base/threads.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { packBatch } from '../batch/pack.ts';
import { setKernelMode } from '../kernels/kernels.ts';
import { RelationReader } from '../state/relation-reader.ts';
import {
  CANCEL_WORD,
  CREDIT_WORD,
  DONE_WORD,
  type FromQuery,
  type QueryTask,
} from './pool-port.ts';
import { QueryExecution, type QueryRequest } from './query-execution.ts';
import { type QueryMemory, QueryMemoryPool } from './query-memory.ts';
import { remoteEnvironment } from './session-questions.ts';
import { packedBatches, SnapshotInputs } from './snapshot-inputs.ts';

const ROWS_A_MESSAGE = 1024;
/** A WebAssembly memory does not shrink: a thread whose query grew it beyond this is replaced. */
const HEAVY_BYTES = 64 * 2 ** 20;

type Post = (message: FromQuery, transfer?: ArrayBuffer[]) => void;

const clock = new SystemClock();
const random = systemRandom();
let memories: QueryMemoryPool | null = null;

/** The pool's task (piscina calls a worker's `run`). */
export function run(task: QueryTask): void {
  setKernelMode(task.kernels);
  memories ??= new QueryMemoryPool(task.queryMemoryBytes);
  const memory = memories.acquire();
  const post: Post = (message, transfer = []) => task.port.postMessage(message, transfer);
  const isHeavy = () => memory.memory.totalBytes > HEAVY_BYTES;
  try {
    runQuery(task, memory, post);
    post({ kind: 'end', isHeavy: isHeavy() });
  } catch (error) {
    post({ kind: 'error', error: toPortError(error), isHeavy: isHeavy() });
  } finally {
    memories.release(memory);
  }
  if (isHeavy()) Atomics.wait(new Int32Array(task.control), DONE_WORD, 0);
}

function runQuery(task: QueryTask, memory: QueryMemory, post: Post): void {
  const control = new Int32Array(task.control);
  const types = task.plan.node.columns
    .slice(0, task.plan.visibleCount)
    .map((column) => column.type);
  const send = (batch: DeltaBatch) => {
    awaitCredit(control);
    const bytes = packBatch(batch, types);
    post({ kind: 'rows', bytes }, [bytes.buffer as ArrayBuffer]);
  };
  const execution = new QueryExecution(requestOf(task, post), inputsOf(task), memory, send);
  while (!execution.isFinished) {
    checkCancel(control);
    if (!execution.hasRows) {
      execution.step();
      continue;
    }
    const mark = memory.scratch.mark();
    const batch = execution.take(ROWS_A_MESSAGE);
    if (batch !== null) send(batch);
    memory.scratch.release(mark);
  }
}

function requestOf(task: QueryTask, post: Post): QueryRequest {
  const environment =
    task.session === null
      ? null
      : remoteEnvironment(task.session, (question) => post({ kind: 'ask', question }));
  return {
    plan: task.plan,
    limit: task.limit ?? Number.POSITIVE_INFINITY,
    offset: task.offset,
    settings: task.settings,
    environment,
    nowUs: task.nowUs,
    random,
    clock,
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
    ownRows: task.ownRows,
    systemRows: (_node, index, target) => packedBatches(task.systemRows.get(index) ?? [], target),
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
