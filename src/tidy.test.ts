/** Tidy: holds the sources to the rules of testing/tidy/rules.ts, and each rule to the example that it must not let through. */

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { MAY_IMPORT } from './testing/tidy/layers.ts';
import { RULES } from './testing/tidy/rules.ts';
import { SourceFile } from './testing/tidy/source-file.ts';

const ROOT = join(import.meta.dirname, '..');

const files = globSync(['{src,bench}/**/*.ts', 'sql-tests/**/*.slt'], { cwd: ROOT })
  .filter((path) => !path.endsWith('.as.ts') && !path.endsWith('.generated.ts'))
  .sort()
  .map((path) => new SourceFile(path, readFileSync(join(ROOT, path), 'utf8')));

function report(problems: readonly string[]): void {
  assert.equal(problems.length, 0, `\n${problems.join('\n')}`);
}

for (const { name, problems, bad } of RULES) {
  test(name, () => report(problems(files)));

  test(`found: not so that ${name}`, () => {
    const examples = Object.entries(bad).map(([path, text]) => new SourceFile(path, text));
    assert.equal(problems(examples).length, 1, problems(examples).join('\n'));
  });
}

test('folders import only what stands before them, so that they have no cycles', () => {
  const folders = Object.keys(MAY_IMPORT);
  for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
    const later = allowed.filter((name) => folders.indexOf(name) >= folders.indexOf(folder));
    assert.deepEqual(later, [], folder);
  }
});

test('the top level holds what a newcomer can place', () => {
  const known = new Set([
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'biome.json',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'SECURITY.md',
    '.ci',
    '.gitignore',
    '.git',
    'src',
    'grammar',
    'sql-tests',
    'bench',
    'docker',
    'docs',
    // Made, not kept (.gitignore).
    'node_modules',
    'build',
    'dist',
    'millrace-data',
  ]);
  const found = globSync('{*,.*}', { cwd: ROOT })
    .map((path) => relative('.', path))
    .filter((name) => name !== '');
  report(
    found
      .filter((name) => !known.has(name) && !name.endsWith('.tgz'))
      .map((name) => `${name}: nothing that a newcomer can place`),
  );
});
