/** The dataflow worker's thread: messages in, epochs run as there is something to do, answers out. */

import { SystemClock } from '../base/clock.ts';
import { EventLoopDelay } from '../base/event-loop-delay.ts';
import { SecretBox } from '../base/secret-box.ts';
import { threadSelf, toPortError } from '../base/threads.ts';
import { openLetters, openSink, openSource, reconnectSink } from '../connect/connectors.ts';
import { openOptions } from '../connect/sealed-options.ts';
import { setKernelMode } from '../kernels/kernels.ts';
import { EpochControl } from '../state/epoch-control.ts';
import type { Engine } from './engine.ts';
import type { Connectors } from './feed-context.ts';
import type { FromWorker, ToWorker, WorkerData, WorkerStatus } from './port.ts';
import { type OpenEngine, openEngine } from './recovery.ts';

const self = threadSelf<ToWorker, FromWorker, WorkerData>();
const clock = new SystemClock();
const TIMER_MS_MAX = 60_000;

/** Runs epochs one after the other, with a turn of the event loop between them, and sleeps until the next one is due. */
class EpochLoop {
  engine: Engine | null = null;
  #isScheduled = false;
  #timer: NodeJS.Timeout | null = null;

  wake(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#isScheduled = false;
    if (this.engine === null) return;
    if (this.engine.runEpoch()) this.wake();
    else this.#sleep(this.engine);
    if (this.engine.step.parts.takeCheckpointDue()) checkpoint(this.engine);
  }

  #sleep(engine: Engine): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const dueUs = engine.nextDueUs();
    if (dueUs === null) return;
    const waitMs = Math.max(0, Number(dueUs - clock.monotonicUs()) / 1000);
    this.#timer = setTimeout(() => this.wake(), Math.min(waitMs, TIMER_MS_MAX));
  }

  stop(): void {
    this.engine = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

const loop = new EpochLoop();
const loopDelay = new EventLoopDelay();
/** Somebody on the main thread waits for epochs: without that, a message for each is not worth its time. */
let isWatched = false;

/** Connectors whose options may hold secrets. */
function connectorsWith(box: SecretBox): Connectors {
  return {
    openSource: (checked, columns, context) =>
      openSource(openOptions(checked, box), columns, context),
    openSink: (checked, context) => openSink(openOptions(checked, box), context),
    reconnectSink: (writer, checked) => reconnectSink(writer, openOptions(checked, box)),
    openLetters: (checked, context) => openLetters(openOptions(checked, box), context),
  };
}

async function start(): Promise<void> {
  const { options, control: shared } = self.data;
  setKernelMode(options.kernels);
  const control = new EpochControl(shared);
  const opened = await openEngine({
    options,
    control,
    clock,
    connectors: connectorsWith(new SecretBox(options.secretKey)),
    wake: () => loop.wake(),
    onEpoch: (epoch) => {
      if (isWatched) self.post({ kind: 'epoch', epoch });
    },
    log: (level, text) => self.post({ kind: 'log', level, text }),
    onStopped: (id, reason) => self.post({ kind: 'stopped', id, reason }),
  });
  const { engine } = opened;
  loop.engine = engine;
  self.onMessage((message) => void answer(message, opened));
  self.post({
    kind: 'ready',
    ready: {
      epoch: engine.epoch,
      catalog: engine.step.parts.catalog.image(),
      relations: engine.step.parts.handles(),
      stopped: engine.step.parts.stopped(),
    },
  });
  loop.wake();
  setInterval(() => {
    if (!engine.isCheckpointing) checkpoint(engine);
  }, options.checkpointIntervalMs).unref();
}

function checkpoint(engine: Engine): void {
  engine.checkpoint().catch((error: unknown) => {
    self.post({ kind: 'log', level: 'error', text: `checkpoint failed: ${String(error)}` });
  });
}

type Asking = Exclude<ToWorker, { readonly kind: 'watch' }>;

async function answer(message: ToWorker, opened: OpenEngine): Promise<void> {
  if (message.kind === 'watch') {
    isWatched = message.isOn;
    if (isWatched) self.post({ kind: 'epoch', epoch: opened.engine.epoch });
    return;
  }
  const { request } = message;
  try {
    self.post({ kind: 'reply', request, value: await handle(message, opened) });
  } catch (error) {
    self.post({ kind: 'error', request, error: toPortError(error) });
  }
}

async function handle(message: Asking, opened: OpenEngine): Promise<unknown> {
  const { engine } = opened;
  switch (message.kind) {
    case 'commit':
      return engine.commit(message.commit);
    case 'status':
      return { ...engine.status(), eventLoopDelay: loopDelay.read() } satisfies WorkerStatus;
    case 'checkpoint':
      return engine.checkpoint();
    case 'preview':
      return engine.preview(message.sourceId, message.limits);
    case 'close':
      loop.stop();
      return opened.close();
  }
}

start().catch((error: unknown) => {
  self.post({ kind: 'failed_start', error: toPortError(error) });
});
