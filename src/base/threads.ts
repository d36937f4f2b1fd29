/**
 * Threads with typed ports: the one place that knows worker_threads and where a worker's file is
 * (`.ts` in a checkout,
 * `.js` in dist/).
 */

import {
  isMainThread,
  MessageChannel,
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  type Transferable,
  threadId,
  Worker,
  workerData,
} from 'node:worker_threads';
import { AssertionError, assert, must } from './assert.ts';
import { SqlError, type SqlErrorFields } from './sql-error.ts';

/** The URL of a worker's file beside the caller: `entry(import.meta.url, './worker.ts')`. */
export function entry(importMetaUrl: string, relative: string): URL {
  assert(relative.endsWith('.ts'), `an entry is named by its .ts file: ${relative}`);
  const file = importMetaUrl.endsWith('.js') ? relative.replace(/\.ts$/, '.js') : relative;
  return new URL(file, importMetaUrl);
}

export interface ThreadOptions<Data> {
  /** Shown by debuggers and in errors. */
  readonly name: string;
  /**
   * Structured-cloned into the thread; SharedArrayBuffers and shared WebAssembly memories are
   * shared.
   */
  readonly data: Data;
  readonly transfer?: readonly Transferable[];
  readonly heapBytesMax?: number;
}

/** The starter's end of a thread. `In` goes to the thread, `Out` comes from it. */
export interface Thread<In, Out> {
  readonly name: string;
  post(message: In, transfer?: readonly Transferable[]): void;
  /** One listener; messages that came before it was set are kept for it. */
  onMessage(listener: (message: Out) => void): void;
  /**
   * Called once when the thread ended for whatever reason; `error` is null after an exit with code
   * 0.
   */
  onExit(listener: (error: Error | null) => void): void;
  /** Whether the thread alone keeps the process alive (default: it does). */
  setRef(isRef: boolean): void;
  /** Stops it at once, without its finally blocks. */
  terminate(): Promise<void>;
}

/** Starts a thread on the file that `entry` found. */
export function spawnThread<In, Out, Data>(
  file: URL,
  options: ThreadOptions<Data>,
): Thread<In, Out> {
  const worker = new Worker(file, {
    name: options.name,
    workerData: options.data,
    ...(options.transfer === undefined ? {} : { transferList: [...options.transfer] }),
    ...(options.heapBytesMax === undefined
      ? {}
      : { resourceLimits: { maxOldGenerationSizeMb: Math.ceil(options.heapBytesMax / 2 ** 20) } }),
  });
  return new WorkerThread<In, Out>(options.name, worker);
}

class WorkerThread<In, Out> implements Thread<In, Out> {
  readonly name: string;
  readonly #worker: Worker;
  #early: Out[] | null = [];
  #error: Error | null = null;
  #hasExited = false;
  #exitListeners: ((error: Error | null) => void)[] = [];
  #listener: (message: Out) => void = (message) => void this.#early?.push(message);

  constructor(name: string, worker: Worker) {
    this.name = name;
    this.#worker = worker;
    worker.on('message', (message: Out) => this.#listener(message));
    worker.on('error', (error: unknown) => {
      this.#error = error instanceof Error ? error : new Error(String(error));
    });
    worker.on('exit', (code) => this.#exited(code));
  }

  post(message: In, transfer: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, transfer as Transferable[]);
  }

  onMessage(listener: (message: Out) => void): void {
    const early = this.#early ?? [];
    this.#early = null;
    this.#listener = listener;
    for (const message of early) listener(message);
  }

  onExit(listener: (error: Error | null) => void): void {
    if (this.#hasExited) listener(this.#error);
    else this.#exitListeners.push(listener);
  }

  setRef(isRef: boolean): void {
    if (isRef) this.#worker.ref();
    else this.#worker.unref();
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #exited(code: number): void {
    this.#hasExited = true;
    if (code !== 0) this.#error ??= new Error(`thread ${this.name} ended with code ${code}`);
    const listeners = this.#exitListeners;
    this.#exitListeners = [];
    for (const listener of listeners) listener(this.#error);
  }
}

/** The thread's own end: what it was started with, and its port to the starter. */
export interface ThreadSelf<In, Out, Data> {
  readonly data: Data;
  post(message: Out, transfer?: readonly Transferable[]): void;
  onMessage(listener: (message: In) => void): void;
  /** Stops listening, so that the thread ends once its work is done. */
  close(): void;
}

/** In a thread started by `spawnThread`: its end of the port. */
export function threadSelf<In, Out, Data>(): ThreadSelf<In, Out, Data> {
  assert(!isMainThread, 'threadSelf belongs into a thread');
  const port = must(parentPort, 'a thread has a parent port');
  return {
    data: workerData as Data,
    post: (message, transfer = []) => port.postMessage(message, transfer as Transferable[]),
    onMessage: (listener) => void port.on('message', listener),
    close: () => port.close(),
  };
}

/**
 * A thread whose messages its starter can also wait for, without a turn of the event loop. Only for starters that are threads
 * themselves: the main thread must not stand still.
 */
export interface AwaitableThread<In, Out> extends Thread<In, Out> {
  /** The next message, given to the listener; false: none came in time. */
  receive(timeoutMs: number): boolean;
}

interface AwaitableData<Data> {
  readonly data: Data;
  readonly port: MessagePort;
  /** Counts the messages sent, so that a wait cannot miss one. */
  readonly sent: Int32Array<SharedArrayBuffer>;
}

export function spawnAwaitableThread<In, Out, Data>(
  file: URL,
  options: ThreadOptions<Data>,
): AwaitableThread<In, Out> {
  const { port1, port2 } = new MessageChannel();
  const sent = new Int32Array(new SharedArrayBuffer(4));
  const data: AwaitableData<Data> = { data: options.data, port: port2, sent };
  const transfer = [...(options.transfer ?? []), port2];
  const thread = spawnThread<In, never, AwaitableData<Data>>(file, { ...options, data, transfer });
  return new AwaitableWorkerThread(thread, port1, sent);
}

class AwaitableWorkerThread<In, Out> implements AwaitableThread<In, Out> {
  readonly #thread: Thread<In, never>;
  readonly #port: MessagePort;
  readonly #sent: Int32Array<SharedArrayBuffer>;
  #listener: (message: Out) => void = () => undefined;

  constructor(thread: Thread<In, never>, port: MessagePort, sent: Int32Array<SharedArrayBuffer>) {
    this.#thread = thread;
    this.#port = port;
    this.#sent = sent;
  }

  get name(): string {
    return this.#thread.name;
  }

  post(message: In, transfer: readonly Transferable[] = []): void {
    this.#thread.post(message, transfer);
  }

  onMessage(listener: (message: Out) => void): void {
    this.#listener = listener;
    this.#port.on('message', (message: Out) => this.#listener(message));
    this.#port.unref();
  }

  onExit(listener: (error: Error | null) => void): void {
    this.#thread.onExit(listener);
  }

  setRef(isRef: boolean): void {
    this.#thread.setRef(isRef);
  }

  async terminate(): Promise<void> {
    this.#port.close();
    await this.#thread.terminate();
  }

  receive(timeoutMs: number): boolean {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const seen = Atomics.load(this.#sent, 0);
      const received = receiveMessageOnPort(this.#port);
      if (received !== undefined) {
        this.#listener(received.message as Out);
        return true;
      }
      const left = end - performance.now();
      if (left <= 0) return false;
      Atomics.wait(this.#sent, 0, seen, left);
    }
  }
}

/** In a thread started by `spawnAwaitableThread`: its end of the port. */
export function awaitableThreadSelf<In, Out, Data>(): ThreadSelf<In, Out, Data> {
  const self = threadSelf<In, never, AwaitableData<Data>>();
  const { data, port, sent } = self.data;
  return {
    data,
    post: (message, transfer = []) => {
      port.postMessage(message, transfer as Transferable[]);
      Atomics.add(sent, 0, 1);
      Atomics.notify(sent, 0);
    },
    onMessage: (listener) => self.onMessage(listener),
    close: () => {
      port.close();
      self.close();
    },
  };
}

/** 0 on the main thread, another number on every other. */
export function currentThreadId(): number {
  return threadId;
}

/** An error as it crosses a port: structured clone would lose its class and its fields. */
export interface PortError {
  readonly kind: 'sql' | 'assertion' | 'other';
  readonly message: string;
  readonly sqlstate: string;
  readonly fields: SqlErrorFields;
  readonly stack: string;
}

export function toPortError(error: unknown): PortError {
  if (error instanceof SqlError) {
    const { sqlstate, message, fields, stack = '' } = error;
    return { kind: 'sql', message, sqlstate, fields: { ...fields }, stack };
  }
  const plain = error instanceof Error ? error : new Error(String(error));
  return {
    kind: plain instanceof AssertionError ? 'assertion' : 'other',
    message: plain.message,
    sqlstate: '',
    fields: {},
    stack: plain.stack ?? '',
  };
}

export function fromPortError(error: PortError): Error {
  const result = rebuildError(error);
  if (error.stack !== '') result.stack = error.stack;
  return result;
}

function rebuildError(error: PortError): Error {
  if (error.kind === 'sql') return new SqlError(error.sqlstate, error.message, error.fields);
  if (error.kind === 'assertion') return new AssertionError(error.message);
  return new Error(error.message);
}

interface PendingReply {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Matches replies to requests over a port: `open` gives the id to send along and the promise of its
 * reply.
 * open, resolve, reject: O(1); failAll: O(open requests).
 */
export class ReplyTable {
  readonly #pending = new Map<number, PendingReply>();
  #nextId = 1;
  #failure: Error | null = null;

  get size(): number {
    return this.#pending.size;
  }

  open<T>(): { id: number; reply: Promise<T> } {
    const id = this.#nextId++;
    const reply = new Promise<T>((resolve, reject) => {
      if (this.#failure !== null) reject(this.#failure);
      else this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
    });
    return { id, reply };
  }

  /** Ids that are not open are ignored: their request was given up. */
  resolve(id: number, value: unknown): void {
    this.#take(id)?.resolve(value);
  }

  reject(id: number, error: PortError | Error): void {
    this.#take(id)?.reject(error instanceof Error ? error : fromPortError(error));
  }

  /** The other side is gone: every open and every later request fails with `error`. */
  failAll(error: Error): void {
    this.#failure = error;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const one of pending) one.reject(error);
  }

  #take(id: number): PendingReply | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }
}
