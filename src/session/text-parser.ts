/**
 * TextParser: statements of a text. Short texts are parsed on the spot; long ones (1 MiB takes 60-350 ms) by a thread of its
 * own, which is started when it is first needed and ends with the process.
 */

import { entry, ReplyTable, spawnThread, type Thread } from '../base/threads.ts';
import { parseStatements } from '../sql/parse.ts';
import type { ParsedStatement } from '../sql/statements.ts';
import type { ParseReply, ParseRequest } from './parse-port.ts';

/** Texts up to this length are parsed where they are. */
const SHORT_TEXT_LENGTH = 32 * 1024;

export class TextParser {
  #thread: Thread<ParseRequest, ParseReply> | null = null;
  #replies = new ReplyTable();

  /** Throws the parser's SqlError, or what `signal` was aborted with. */
  async parse(text: string, signal: AbortSignal): Promise<readonly ParsedStatement[]> {
    if (text.length <= SHORT_TEXT_LENGTH) return parseStatements(text);
    const { id, reply } = this.#replies.open<readonly ParsedStatement[]>();
    this.#started().post({ request: id, text });
    const statements = await unlessAborted(reply, signal);
    signal.throwIfAborted();
    return statements;
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    await thread?.terminate();
  }

  #started(): Thread<ParseRequest, ParseReply> {
    if (this.#thread !== null) return this.#thread;
    const replies = this.#replies;
    const thread = spawnThread<ParseRequest, ParseReply, null>(
      entry(import.meta.url, './parse-thread.ts'),
      { name: 'parser', data: null },
    );
    thread.setRef(false);
    thread.onMessage((message) => {
      if ('error' in message) replies.reject(message.request, message.error);
      else replies.resolve(message.request, message.statements);
    });
    thread.onExit((error) => {
      replies.failAll(error ?? new Error('the parser thread ended'));
      if (this.#thread !== thread) return;
      this.#thread = null;
      this.#replies = new ReplyTable();
    });
    this.#thread = thread;
    return thread;
  }
}

function unlessAborted<T>(reply: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    reply.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
