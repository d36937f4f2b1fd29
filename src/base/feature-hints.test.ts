import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { featureHint } from './feature-hints.ts';
import { notSupported } from './sql-error.ts';

/** notSupported('...') and refuse(`...`) of the sources; what a template puts in is written as x. */
const FEATURE =
  /\b(?:notSupported|(?<!throw )refuse|unsupported)\(\s*(?:'((?:[^'\\]|\\.)*)'|`([^`]*)`)/g;

function namedFeatures(text: string): string[] {
  return [...text.matchAll(FEATURE)].map(([, plain, template]) =>
    (plain ?? template!.replace(/\$\{[^}]*\}/g, 'x')).replaceAll('\\\\', '\\'),
  );
}

test('every feature that the sources refuse by name has a hint', () => {
  const paths = globSync('src/**/*.ts').filter((path) => !path.endsWith('.test.ts'));
  const features = paths.flatMap((path) => namedFeatures(readFileSync(path, 'utf8')));
  assert.ok(features.length > 100, `${features.length} found`);
  assert.deepEqual(
    features.filter((name) => !/^[x ]+$/.test(name) && featureHint(name) === undefined),
    [],
  );
});

test('features are found in the sources', () => {
  const source = `throw notSupported('A b', {});\nrefuse(\n  \`C \${d.e()} f\`, 1)`;
  assert.deepEqual(namedFeatures(source), ['A b', 'C x f']);
});

test('a hint of its own wins over the table', () => {
  assert.equal(notSupported('MERGE').message, 'MERGE is not supported');
  assert.match(notSupported('MERGE').fields.hint ?? '', /ON CONFLICT DO UPDATE/);
  assert.equal(notSupported('MERGE', { hint: 'Wait.' }).fields.hint, 'Wait.');
  assert.equal(notSupported('the impossible').fields.hint, undefined);
});
