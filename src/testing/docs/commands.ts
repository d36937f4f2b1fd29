/**
 * Commands of the documentation's `sh` blocks. Those of files run as they are; curl, which may not be there, and Kafka's own
 * tools, which are slow to start, are done by the tests' own clients, as far as the pages use them.
 */

import { execFileSync } from 'node:child_process';
import { must } from '../../base/assert.ts';
import { committedRecords } from '../kafka/committed-records.ts';
import type { KafkaFixture } from '../kafka/kafka-fixture.ts';

export interface CommandWorld {
  /** Where commands run: the server's folder of files. */
  readonly directory: string;
  readonly kafka: KafkaFixture | null;
}

const OF_THE_SHELL = ['cat', 'ls', 'echo', 'printf'];
/** How the server is started and looked at: other tests do that. */
const NOT_RUN = ['npm', 'psql'];

/** Runs one; what it prints. */
export async function runCommand(text: string, world: CommandWorld): Promise<string> {
  const [line, ...input] = text.replace(/\nEND$/, '').split('\n') as [string, ...string[]];
  const words = wordsOf(line);
  const [program] = words as [string];
  if (NOT_RUN.includes(program)) return '';
  if (OF_THE_SHELL.includes(program)) return inShell(text, world.directory);
  if (program === 'curl') return posted(words);
  const kafka = must(world.kafka);
  if (program === 'kafka-console-consumer.sh') return consumed(words, kafka);
  if (program !== 'kafka-console-producer.sh') throw new Error(`no test runs ${program}`);
  await kafka.send(optionOf(words, '--topic'), messagesOf(words, input));
  return '';
}

function inShell(text: string, directory: string): string {
  return execFileSync('sh', ['-c', text], { cwd: directory, encoding: 'utf8' });
}

/** The answer's body. */
async function posted(words: readonly string[]): Promise<string> {
  const header = words.includes('-H') ? optionOf(words, '-H') : null;
  const colon = header?.indexOf(':') ?? 0;
  const response = await fetch(must(words.at(-1)), {
    method: 'POST',
    body: optionOf(words, '-d'),
    headers: {
      // What curl sends where nothing else is said.
      'content-type': 'application/x-www-form-urlencoded',
      ...(header === null ? {} : { [header.slice(0, colon)]: header.slice(colon + 1).trim() }),
    },
  });
  return response.text();
}

function wordsOf(line: string): string[] {
  return (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replace(/'/g, ''));
}

function optionOf(words: readonly string[], option: string): string {
  return must(words[words.indexOf(option) + 1]);
}

/** `--property name=value`. */
function propertyOf(words: readonly string[], name: string): string | null {
  const found = words.find((word) => word.startsWith(`${name}=`));
  return found === undefined ? null : found.slice(name.length + 1);
}

function messagesOf(
  words: readonly string[],
  lines: readonly string[],
): { key: string | null; value: string | null }[] {
  const marker = propertyOf(words, 'null.marker');
  const separator = propertyOf(words, 'key.separator') ?? '\t';
  return lines.map((line) => {
    if (propertyOf(words, 'parse.key') !== 'true') return { key: null, value: line };
    const at = line.indexOf(separator);
    const value = line.slice(at + separator.length);
    return { key: line.slice(0, at), value: value === marker ? null : value };
  });
}

async function consumed(words: readonly string[], kafka: KafkaFixture): Promise<string> {
  const records = await committedRecords(kafka.bootstrap, optionOf(words, '--topic'));
  const isWithKey = propertyOf(words, 'print.key') === 'true';
  const separator = propertyOf(words, 'key.separator') ?? '\t';
  return records
    .slice(0, Number(optionOf(words, '--max-messages')))
    .map(({ key, value }) => `${isWithKey ? `${key}${separator}` : ''}${value}`)
    .join('\n');
}
