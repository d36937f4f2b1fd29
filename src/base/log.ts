/**
 * Structured logs: pino on stderr, pretty on a terminal and JSON otherwise. A line names what
 * happened and its facts.
 */

import { isatty } from 'node:tty';
import { pino } from 'pino';
import { PinoPretty } from 'pino-pretty';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export const LOG_LEVELS: readonly LogLevel[] = [
  'trace',
  'debug',
  'info',
  'warn',
  'error',
  'fatal',
  'silent',
];

/**
 * Facts first, then the sentence; an Error goes under `err`. Never a password, never a row's values
 * above debug.
 */
export interface Log {
  trace(facts: object, message: string): void;
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  fatal(facts: object, message: string): void;
  /** The same log with facts added to each line. */
  child(facts: Readonly<Record<string, unknown>>): Log;
}

const STDERR = 2;

/** The process's log. Works in every thread: lines are written whole and at once to stderr. */
export function createLog(level: LogLevel, isPretty = isatty(STDERR)): Log {
  const base = { level, base: null };
  if (isPretty) {
    const stream = PinoPretty({ destination: STDERR, sync: true, ignore: 'pid,hostname' });
    return pino(base, stream);
  }
  return pino(base, pino.destination({ dest: STDERR, sync: true }));
}

/** A log that writes nothing: for tests. */
export const SILENT_LOG: Log = pino({ level: 'silent' });

/** One line that was logged, for tests that look at logs. */
export interface LogLine {
  readonly level: LogLevel;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A log that keeps its lines. */
export function recordingLog(
  lines: LogLine[] = [],
  bound: Readonly<Record<string, unknown>> = {},
): Log {
  const at = (level: LogLevel) => (facts: object, message: string) =>
    void lines.push({ level, facts: { ...bound, ...facts }, message });
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    child: (facts) => recordingLog(lines, { ...bound, ...facts }),
  };
}
