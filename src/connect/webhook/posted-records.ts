/**
 * The records of a posted body: a JSON value, the elements of a JSON array, or the lines of NDJSON.
 *
 * Cost: one pass over the bytes; no JavaScript value is made of them.
 */

import { SqlError } from '../../base/sql-error.ts';
import { ARRAY_START, JsonScanner } from '../../formats/json-scanner.ts';
import type { PostedBody } from '../source.ts';

const LINE_END = 10;

/**
 * Where the records lie: begin and end of each. 22P02 where the body is no JSON at all. Shapes: `value`, the body is one JSON
 * text; `lines`, one a line; `auto`, the first where it is one, else the second.
 */
export function postedRecords(body: Buffer, shape: PostedBody['shape']): readonly number[] {
  const scanner = new JsonScanner();
  scanner.start(body, 0, body.length);
  scanner.skipSpace();
  if (scanner.peek() < 0) throw new SqlError('22P02', 'the body is empty');
  if (shape === 'lines') return lines(body);
  const isArray = scanner.peek() === ARRAY_START;
  try {
    return isArray ? elements(scanner) : [scanner.at, valueEnd(scanner)];
  } catch (error) {
    // A broken array is no list of lines, whatever some of its lines look like: the body may be cut short.
    if (isArray || shape === 'value') throw error;
    return lines(body);
  }
}

function elements(scanner: JsonScanner): number[] {
  const records: number[] = [];
  scanner.at += 1;
  scanner.skipSpace();
  for (let isEnd = scanner.takeArrayEnd(); !isEnd; ) {
    records.push(scanner.at);
    scanner.skipValue();
    records.push(scanner.at);
    isEnd = scanner.takeElementEnd();
  }
  scanner.expectEnd();
  return records;
}

function valueEnd(scanner: JsonScanner): number {
  scanner.skipValue();
  const end = scanner.at;
  scanner.expectEnd();
  return end;
}

/** Lines that are not blank; one of them at least must be JSON. */
function lines(body: Buffer): number[] {
  const records: number[] = [];
  const scanner = new JsonScanner();
  let problem: unknown = null;
  let isJson = false;
  for (let start = 0; start < body.length; ) {
    const found = body.indexOf(LINE_END, start);
    const end = found < 0 ? body.length : found;
    scanner.start(body, start, end);
    scanner.skipSpace();
    if (scanner.peek() >= 0) {
      records.push(scanner.at, end);
      if (!isJson) {
        try {
          valueEnd(scanner);
          isJson = true;
        } catch (error) {
          problem ??= error;
        }
      }
    }
    start = end + 1;
  }
  if (!isJson) throw problem;
  return records;
}
