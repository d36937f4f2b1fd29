/** What a process has used so far, from /proc (Linux only, as the bench is). */

import { readFileSync } from 'node:fs';

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

/** Reads the usage of process `pid`; throws where it has ended. CPU time comes in steps of 10 ms. */
export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return {
    cpuSeconds: (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) / TICKS_PER_SECOND,
    rssBytes: kibibytesOf(status, 'VmRSS') * 1024,
    peakRssBytes: kibibytesOf(status, 'VmHWM') * 1024,
  };
}

function kibibytesOf(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
}
