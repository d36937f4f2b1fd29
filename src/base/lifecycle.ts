/**
 * The life of the process: parts register how to stop, and stopping runs backwards through them
 * with a deadline. SIGTERM and SIGINT stop in order; a second signal stops at once.
 */

import type { Log } from './log.ts';

export type LifecyclePhase = 'starting' | 'running' | 'stopping' | 'stopped';

interface StopStep {
  readonly name: string;
  readonly stop: () => Promise<void> | void;
}

export class Lifecycle {
  readonly #log: Log;
  readonly #steps: StopStep[] = [];
  readonly #aborter = new AbortController();
  #phase: LifecyclePhase = 'starting';
  #stopping: Promise<boolean> | null = null;

  constructor(log: Log) {
    this.#log = log;
  }

  get phase(): LifecyclePhase {
    return this.#phase;
  }

  /** Aborted when stopping begins. */
  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  running(): void {
    if (this.#phase === 'starting') this.#phase = 'running';
  }

  /** Registers a part that has started; parts stop in the reverse order. */
  onStop(name: string, stop: () => Promise<void> | void): void {
    this.#steps.push({ name, stop });
  }

  /**
   * Stops every part once; later calls wait for the same end. True: all ended well within the
   * deadline.
   */
  stop(deadlineMs: number): Promise<boolean> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  async #stop(deadlineMs: number): Promise<boolean> {
    this.#phase = 'stopping';
    this.#aborter.abort();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, deadlineMs, 'late');
    });
    const outcome = await Promise.race([this.#stopSteps(), deadline]);
    clearTimeout(timer);
    this.#phase = 'stopped';
    if (outcome === 'late') this.#log.error({ deadlineMs }, 'stopping took too long');
    return outcome === true;
  }

  async #stopSteps(): Promise<boolean> {
    let isClean = true;
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.stop();
      } catch (err) {
        isClean = false;
        this.#log.error({ err, part: step.name }, 'a part failed to stop');
      }
    }
    return isClean;
  }
}

/** What the process must have ended by once it is to stop. */
export const STOP_DEADLINE_MS = 9000;

/**
 * Ties SIGTERM and SIGINT to the lifecycle: exit 0 after a clean stop, 1 after another; the second
 * signal exits at once.
 */
export function stopOnSignals(lifecycle: Lifecycle, log: Log): void {
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals++;
    if (signals > 1) process.exit(1);
    log.info({ signal }, 'stopping');
    void lifecycle.stop(STOP_DEADLINE_MS).then((isClean) => process.exit(isClean ? 0 : 1));
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
