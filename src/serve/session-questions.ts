/**
 * What a query on another thread asks of its session (current_setting(), pg_get_viewdef(), regclass names ...): the thread
 * posts the question and sleeps; the main thread writes the answer into shared memory and wakes it.
 *
 * Cost: two thread switches a question; answers are kept, since a statement's environment does not change while it runs.
 */

import { deserialize, serialize } from 'node:v8';
import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { fromPortError, type PortError, toPortError } from '../base/threads.ts';
import type { SystemEnvironment } from '../expr/system-environment.ts';

/** Words at the start of the shared block. */
const STATE_WORD = 0;
const LENGTH_WORD = 1;
const HEADER_BYTES = 8;
const WAITING = 0;
const ANSWERED = 1;
const CANCELLED = 2;

/** Longest answer: definitions of views are the long ones. */
const ANSWER_BYTES_MAX = 4 * 2 ** 20;

export interface Question {
  readonly method: string;
  readonly args: readonly unknown[];
}

type Answer = { readonly value: unknown } | { readonly error: PortError };

/** Facts of the environment that are no functions: sent along with the task. */
const FACTS = [
  'databaseName',
  'userName',
  'sessionUserName',
  'versionText',
  'backendPid',
  'serverStartedAtUs',
  'transactionId',
  'serverPort',
] as const;

const FUNCTIONS = [
  'currentSetting',
  'setSetting',
  'searchPath',
  'relationOid',
  'relationName',
  'functionOid',
  'functionName',
  'functionSignature',
  'schemaOid',
  'schemaName',
  'roleOid',
  'roleName',
  'indexDefinition',
  'viewDefinition',
  'constraintDefinition',
  'objectDescription',
  'columnDescription',
  'relationSize',
  'databaseSize',
  'signalBackend',
] as const satisfies readonly (keyof SystemEnvironment)[];

/** Questions that do something: asked each time. */
const ACTIONS: ReadonlySet<string> = new Set(['setSetting', 'signalBackend']);

export type SessionFacts = Readonly<Record<(typeof FACTS)[number], unknown>>;

export interface SessionLink {
  readonly facts: SessionFacts;
  readonly answers: SharedArrayBuffer;
}

/** Main thread: what a task takes along to be able to ask. */
export function sessionLink(environment: SystemEnvironment): SessionLink {
  const facts = Object.fromEntries(FACTS.map((name) => [name, environment[name]]));
  return {
    facts: facts as SessionFacts,
    answers: new SharedArrayBuffer(HEADER_BYTES + ANSWER_BYTES_MAX),
  };
}

/** Main thread: answers a question; a failure of the environment is an answer too. */
export function answerQuestion(
  { method, args }: Question,
  environment: SystemEnvironment,
  { answers }: SessionLink,
): void {
  let bytes = serialize(answerOf(method, args, environment));
  if (bytes.length > ANSWER_BYTES_MAX) {
    const error = new SqlError('54000', `the result of ${method} is too long to be used here`);
    bytes = serialize({ error: toPortError(error) } satisfies Answer);
  }
  new Uint8Array(answers, HEADER_BYTES).set(bytes);
  const words = new Int32Array(answers, 0, HEADER_BYTES / 4);
  words[LENGTH_WORD] = bytes.length;
  Atomics.compareExchange(words, STATE_WORD, WAITING, ANSWERED);
  Atomics.notify(words, STATE_WORD);
}

function answerOf(
  method: string,
  args: readonly unknown[],
  environment: SystemEnvironment,
): Answer {
  try {
    const name = must(FUNCTIONS.find((one) => one === method));
    const ask = environment[name] as (...given: unknown[]) => unknown;
    return { value: ask.apply(environment, [...args]) };
  } catch (error) {
    return { error: toPortError(error) };
  }
}

/** Main thread: a thread that waits for an answer goes on to see that it is cancelled. */
export function cancelQuestions({ answers }: SessionLink): void {
  const words = new Int32Array(answers, 0, HEADER_BYTES / 4);
  Atomics.store(words, STATE_WORD, CANCELLED);
  Atomics.notify(words, STATE_WORD);
}

/** Query thread: the environment at the other end of the link. */
export function remoteEnvironment(
  link: SessionLink,
  post: (question: Question) => void,
): SystemEnvironment {
  const known = new Map<string, unknown>();
  const words = new Int32Array(link.answers, 0, HEADER_BYTES / 4);
  const ask = (method: string, args: readonly unknown[]): unknown => {
    const key = `${method} ${JSON.stringify(args)}`;
    if (known.has(key)) return known.get(key);
    Atomics.compareExchange(words, STATE_WORD, ANSWERED, WAITING);
    post({ method, args });
    Atomics.wait(words, STATE_WORD, WAITING);
    if (Atomics.load(words, STATE_WORD) === CANCELLED)
      throw new SqlError('57014', 'canceling statement due to user request');
    const value = unwrap(readAnswer(link, words[LENGTH_WORD]!));
    if (!ACTIONS.has(method)) known.set(key, value);
    return value;
  };
  const functions = FUNCTIONS.map((name) => [name, (...args: unknown[]) => ask(name, args)]);
  return { ...link.facts, ...Object.fromEntries(functions) } as unknown as SystemEnvironment;
}

function readAnswer({ answers }: SessionLink, length: number): Answer {
  const bytes = new Uint8Array(answers, HEADER_BYTES, length).slice();
  return deserialize(Buffer.from(bytes)) as Answer;
}

function unwrap(answer: Answer): unknown {
  if ('error' in answer) throw fromPortError(answer.error);
  return answer.value;
}
