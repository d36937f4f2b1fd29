/**
 * Makes the parser of grammar/ with peggy, by content hash: nothing to do when it is there. It is written as a file and
 * never compiled from a string: the server makes no code from text.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildDirectory, GRAMMAR_SOURCES, streamingParserName } from './streaming-parser-path.ts';

/** Makes sure that the parser exists; returns its path. Idempotent; several processes may do it at once. */
export async function buildStreamingParser(): Promise<string> {
  const target = buildDirectory() + streamingParserName();
  if (existsSync(target)) return target;
  mkdirSync(buildDirectory(), { recursive: true });
  const partial = `${target}.${process.pid}.partial`;
  writeFileSync(partial, await streamingParserSource());
  renameSync(partial, target);
  return target;
}

async function streamingParserSource(): Promise<string> {
  // Not needed to start a checkout that is built.
  const { default: peggy } = await import('peggy');
  const grammar = GRAMMAR_SOURCES.map((url) => ({
    source: fileURLToPath(url),
    text: readFileSync(url, 'utf8'),
  }));
  for (const { source, text } of grammar) checkLiterals(source, peggy.parser.parse(text));
  return peggy.generate(grammar, {
    output: 'source',
    format: 'es',
    allowedStartRules: ['Statement', 'OursFirst'],
  });
}

/** A literal of the grammar is one token and its blank; another would match nowhere, or in the midst of a token. */
function checkLiterals(source: string, tree: unknown): void {
  const open: unknown[] = [tree];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    const { type, value } = next as { type?: unknown; value?: unknown };
    if (type === 'literal' && typeof value === 'string' && !/^[^ ]* $/.test(value)) {
      throw new Error(`${source}: "${value}" is not one token with its blank`);
    }
    open.push(...Object.values(next).filter((inner) => inner !== undefined));
  }
}
