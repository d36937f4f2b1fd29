/** Where the parser made of grammar/ is: by content hash (build.ts) in build/ of a checkout, beside this file when published. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The grammar's files, in order: it starts with the first rule of the first. */
export const GRAMMAR_SOURCES: readonly URL[] = Object.freeze(
  ['streaming.peggy', 'clauses.peggy'].map(
    (name) => new URL(`../../grammar/${name}`, import.meta.url),
  ),
);

const GENERATOR = new URL('./build.ts', import.meta.url);

/** File name of the parser that the present grammar and generator give. */
export function streamingParserName(): string {
  const hash = createHash('sha256');
  for (const source of [...GRAMMAR_SOURCES, GENERATOR]) hash.update(readFileSync(source));
  return `streaming-parser-${hash.digest('hex').slice(0, 16)}.js`;
}

/** Directory that builds write to, in a checkout. */
export function buildDirectory(): string {
  return fileURLToPath(new URL('../../build/', import.meta.url));
}

/** The parser that fits the grammar. Throws when it was not built. */
export function streamingParserPath(): string {
  const published = fileURLToPath(new URL('./streaming-parser.js', import.meta.url));
  if (existsSync(published)) return published;
  const path = buildDirectory() + streamingParserName();
  if (existsSync(path)) return path;
  throw new Error(`${path} is missing: run "npm run build", which makes it from grammar/`);
}
