/** The thread that parses long texts, so that a 1 MiB statement does not hold up every other client. */

import { SqlError } from '../base/sql-error.ts';
import { threadSelf, toPortError } from '../base/threads.ts';
import { loadParser, parseStatements } from '../sql/parse.ts';
import type { ParseReply, ParseRequest } from './parse-port.ts';

const self = threadSelf<ParseRequest, ParseReply, null>();

/** A tree too deep to be walked, or to be sent. */
function asSqlError(error: unknown): unknown {
  const isTooDeep = error instanceof RangeError || (error as Error).name === 'DataCloneError';
  return isTooDeep ? new SqlError('54001', 'stack depth limit exceeded') : error;
}

await loadParser();
self.onMessage(({ request, text }) => {
  try {
    self.post({ request, statements: parseStatements(text) });
  } catch (error) {
    self.post({ request, error: toPortError(asSqlError(error)) });
  }
});
