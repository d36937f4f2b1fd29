/**
 * A program of somebody else's that tests and demos talk to, as a process of its own that outlives the command that started
 * it: a folder with its pid, its log and what it was started with. Ready when its log says so.
 */

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 50;
const LOG_TAIL_LINES = 20;

export interface Program {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** What its log holds once it serves. */
  readonly ready: string | RegExp;
  readonly uid?: number;
}

export class ServiceProcess {
  readonly #directory: string;

  /** `directory`: where its pid and log lie; made if missing. */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  get logPath(): string {
    return join(this.#directory, 'out.log');
  }

  get #pidPath(): string {
    return join(this.#directory, 'pid');
  }

  /** The pid, if the process runs; a pid that now belongs to something else does not count. */
  get pid(): number | null {
    const [pid = '', startTime = ''] = readOr(this.#pidPath, '').split(' ');
    return pid !== '' && startTimeOf(pid) === startTime ? Number(pid) : null;
  }

  /** Starts it unless it runs, and waits until it serves; throws with the end of its log where it ends or is silent. */
  async start(program: Program): Promise<void> {
    if (this.pid === null) this.launch(program);
    await this.ready(program);
  }

  /** Starts it without waiting: `ready` does that. */
  launch(program: Program): void {
    const log = openSync(this.logPath, 'w');
    const child = spawn(program.command, [...program.args], {
      cwd: this.#directory,
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...program.environment },
      ...(program.uid === undefined ? {} : { uid: program.uid, gid: program.uid }),
    });
    closeSync(log);
    child.on('error', () => undefined);
    child.unref();
    if (child.pid === undefined) throw new Error(`${program.name}: cannot run ${program.command}`);
    writeFileSync(this.#pidPath, `${child.pid} ${startTimeOf(String(child.pid))}`);
  }

  async ready({ name, ready }: Program): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    for (;;) {
      const log = readOr(this.logPath, '');
      if (typeof ready === 'string' ? log.includes(ready) : ready.test(log)) return;
      const problem =
        this.pid === null
          ? 'ended while starting'
          : performance.now() > deadline
            ? 'is silent'
            : null;
      if (problem !== null) {
        const tail = log.split('\n').slice(-LOG_TAIL_LINES).join('\n');
        throw new Error(`${name} ${problem} (${this.logPath}):\n${tail}`);
      }
      await delay(POLL_MS);
    }
  }

  /** Ends it, cleanly or not, and waits until it is gone, and its children, which see that a little later. */
  async end(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<void> {
    const pid = this.pid;
    const children = pid === null ? [] : childrenOf(pid);
    if (pid !== null) process.kill(pid, signal);
    const doRun = (): boolean => children.some(([child, time]) => startTimeOf(child) === time);
    while (this.pid !== null || doRun()) await delay(POLL_MS);
    rmSync(this.#pidPath, { force: true });
  }
}

/** When a process began (clock ticks since boot), so that a number used again is not taken for it; '': it does not run. */
function startTimeOf(pid: string): string {
  const fields = readOr(`/proc/${pid}/stat`, '').split(') ')[1]?.split(' ');
  return fields === undefined || fields[0] === 'Z' ? '' : (fields[19] ?? '');
}

function childrenOf(pid: number): [pid: string, startTime: string][] {
  const pids = readOr(`/proc/${pid}/task/${pid}/children`, '').split(' ').filter(Boolean);
  const children = pids.map((child): [string, string] => [child, startTimeOf(child)]);
  return children.filter(([, startTime]) => startTime !== '');
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
