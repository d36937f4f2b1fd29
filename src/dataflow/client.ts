/**
 * The main thread's side of the dataflow worker: EnginePort is all that sessions, serve and ops know of it.
 */

import { must } from '../base/assert.ts';
import { entry, fromPortError, ReplyTable, spawnThread, type Thread } from '../base/threads.ts';
import { EpochControl } from '../state/epoch-control.ts';
import type {
  CommitRequest,
  CommitResult,
  EngineOptions,
  EngineReady,
  FromWorker,
  RelationHandle,
  ToWorker,
  WorkerData,
  WorkerStatus,
} from './port.ts';
import type { PreviewLimits, SourcePreview } from './source-preview.ts';

export interface EnginePort {
  /** Epochs that readers pin. */
  readonly control: EpochControl;
  /** The catalog as recovery found it; `Catalog.fromImage` makes the first snapshot of it. */
  readonly recoveredCatalog: EngineReady['catalog'];
  /** How to read a stored relation (tables, materialized views, DEAD_LETTERS_ID, VIEW_ERRORS_ID). */
  relation(id: number): RelationHandle | undefined;
  /** Why a view or sink has stopped for good; null: it runs. */
  stoppedReason(id: number): string | null;
  /** Answers when the transaction is durable and published; a refused one (53100 ...) rejects and nothing took effect. */
  commit(request: CommitRequest): Promise<CommitResult>;
  /** Called after each published epoch (may skip some under load); returns how to stop. */
  onEpoch(listener: (epoch: number) => void): () => void;
  status(): Promise<WorkerStatus>;
  /** Requests that the worker has not answered yet. */
  readonly pendingRequests: number;
  /** A look at an unstored source's records, from where it began. */
  previewSource(sourceId: number, limits: PreviewLimits): Promise<SourcePreview>;
  /** Writes a checkpoint now. */
  checkpoint(): Promise<void>;
  /** Finishes the running epoch, checkpoints, frees the data directory. */
  close(): Promise<void>;
}

export interface EngineEvents {
  log(level: 'info' | 'warn' | 'error', text: string): void;
  /** The worker died: the process cannot go on with its dataflow. */
  onDeath(error: Error): void;
}

/** Starts the worker; resolves when recovery is done and reads may open. A refused start rejects with its one-line reason. */
export async function startEngine(
  options: EngineOptions,
  events: EngineEvents,
): Promise<EnginePort> {
  const control = new EpochControl();
  const thread = spawnThread<ToWorker, FromWorker, WorkerData>(
    entry(import.meta.url, './worker.ts'),
    {
      name: 'dataflow',
      data: { options, control: control.shared },
    },
  );
  const engine = new WorkerEngine(thread, control, events);
  await engine.started;
  return engine;
}

class WorkerEngine implements EnginePort {
  readonly control: EpochControl;
  readonly started: Promise<void>;
  readonly #thread: Thread<ToWorker, FromWorker>;
  readonly #replies = new ReplyTable();
  readonly #relations = new Map<number, RelationHandle>();
  readonly #stopped = new Map<number, string>();
  readonly #listeners = new Set<(epoch: number) => void>();
  /** The worker tells of each epoch. It stops once one comes that nobody waits for. */
  #isWatching = false;
  readonly #events: EngineEvents;
  #ready: EngineReady | null = null;
  #isClosing = false;
  #start: { resolve: () => void; reject: (error: Error) => void };

  constructor(thread: Thread<ToWorker, FromWorker>, control: EpochControl, events: EngineEvents) {
    this.#thread = thread;
    this.control = control;
    this.#events = events;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.started = promise;
    this.#start = { resolve, reject };
    thread.onMessage((message) => this.#onMessage(message));
    thread.onExit((error) => this.#onExit(error));
  }

  get recoveredCatalog(): EngineReady['catalog'] {
    return must(this.#ready, 'the engine is not ready').catalog;
  }

  stoppedReason(id: number): string | null {
    return this.#stopped.get(id) ?? null;
  }

  relation(id: number): RelationHandle | undefined {
    return this.#relations.get(id);
  }

  async commit(request: CommitRequest): Promise<CommitResult> {
    const transfer = [
      ...request.dml.flatMap(({ rows }) => (rows === null ? [] : ownedBuffer(rows))),
      ...(request.posts ?? []).flatMap(({ body }) => ownedBuffer(body.bytes)),
    ];
    const result = await this.#ask<CommitResult>(
      (id) => ({ kind: 'commit', request: id, commit: request }),
      [...new Set(transfer)],
    );
    this.#adopt(result.relations);
    for (const action of request.ddl) if (action.kind === 'drop') this.#relations.delete(action.id);
    return result;
  }

  onEpoch(listener: (epoch: number) => void): () => void {
    this.#listeners.add(listener);
    // The worker answers with its newest epoch at once: none is missed that came before it heard.
    if (!this.#isWatching) this.#watch(true);
    return () => void this.#listeners.delete(listener);
  }

  #watch(isOn: boolean): void {
    this.#isWatching = isOn;
    this.#thread.post({ kind: 'watch', isOn });
  }

  get pendingRequests(): number {
    return this.#replies.size;
  }

  status(): Promise<WorkerStatus> {
    return this.#ask((request) => ({ kind: 'status', request }));
  }

  previewSource(sourceId: number, limits: PreviewLimits): Promise<SourcePreview> {
    return this.#ask((request) => ({ kind: 'preview', request, sourceId, limits }));
  }

  checkpoint(): Promise<void> {
    return this.#ask((request) => ({ kind: 'checkpoint', request }));
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    await this.#ask((request) => ({ kind: 'close', request }));
    await this.#thread.terminate();
  }

  #ask<T>(make: (id: number) => ToWorker, transfer: readonly ArrayBuffer[] = []): Promise<T> {
    const { id, reply } = this.#replies.open<T>();
    this.#thread.post(make(id), transfer);
    return reply;
  }

  #adopt(relations: readonly RelationHandle[]): void {
    for (const relation of relations) this.#relations.set(relation.id, relation);
  }

  #onMessage(message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        this.#ready = message.ready;
        this.#adopt(message.ready.relations);
        for (const { id, reason } of message.ready.stopped) this.#stopped.set(id, reason);
        this.#start.resolve();
        return;
      case 'failed_start':
        this.#isClosing = true;
        this.#start.reject(fromPortError(message.error));
        return;
      case 'reply':
        this.#replies.resolve(message.request, message.value);
        return;
      case 'error':
        this.#replies.reject(message.request, message.error);
        return;
      case 'epoch':
        if (this.#listeners.size === 0 && this.#isWatching && !this.#isClosing) this.#watch(false);
        for (const listener of this.#listeners) listener(message.epoch);
        return;
      case 'stopped':
        this.#stopped.set(message.id, message.reason);
        return;
      case 'log':
        this.#events.log(message.level, message.text);
        return;
    }
  }

  #onExit(error: Error | null): void {
    const reason = error ?? new Error('the dataflow worker ended');
    this.#replies.failAll(reason);
    this.#start.reject(reason);
    if (!this.#isClosing) this.#events.onDeath(reason);
  }
}

/** The buffer may be given away only where the bytes are all of it. */
function ownedBuffer(rows: Uint8Array): ArrayBuffer[] {
  const { buffer } = rows;
  return buffer instanceof ArrayBuffer && buffer.byteLength === rows.byteLength ? [buffer] : [];
}
