/** What a process has used so far, from /proc (Linux only, as the bench is). */

import { readdirSync, readFileSync } from 'node:fs';

export interface Usage {
  /** User and system time of all its threads, also of those that have ended. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
}

/** USER_HZ: the unit of /proc/PID/stat is fixed by the kernel's interface, not by its own tick. */
const TICKS_PER_SECOND = 100;
/** Places of utime and stime behind the command's name in /proc/PID/stat. */
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

/** CPU seconds of the threads of process `pid`, by name and number. */
export function threadsOf(pid: number): Map<string, number> {
  const threads = new Map<string, number>();
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, 'latin1');
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    threads.set(`${name}:${id}`, ticksOf(stat) / TICKS_PER_SECOND);
  }
  return threads;
}

/** What threads of each name have used in between; less than a tick is left out. */
export function threadsSince(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Record<string, number> {
  const used: Record<string, number> = {};
  for (const [thread, cpuSeconds] of after) {
    const name = thread.replace(/:\d+$/, '');
    const sum = (used[name] ?? 0) + cpuSeconds - (before.get(thread) ?? 0);
    if (sum > 0) used[name] = Math.round(sum * 100) / 100;
  }
  return used;
}

/** User and system time of a stat file. */
function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS]);
}

/** Reads the usage of process `pid`; throws where it has ended. CPU time comes in steps of 10 ms. */
export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return {
    cpuSeconds: ticksOf(stat) / TICKS_PER_SECOND,
    rssBytes: kibibytesOf(status, 'VmRSS') * 1024,
    peakRssBytes: kibibytesOf(status, 'VmHWM') * 1024,
  };
}

function kibibytesOf(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
}
