/**
 * The documentation holds what it should: every page with SQL is run by a test, every connector and format has a page with an
 * executed example, tables of options name those that there are with their defaults, links lead somewhere.
 */

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { optionProblems } from './option-tables.ts';
import { pageSteps } from './page-steps.ts';
import { allPages, PAGES, ROOT, type Scene } from './pages.ts';

const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8');
/** What was true when it was written. */
const HISTORY = ['CHANGELOG.md'];
const SCENES: readonly Scene[] = ['tour', 'server', 'kafka', 'postgres'];
const SQL = /^```sql\b/m;
const FENCE = /^\s*(```|~~~)/;
/** Languages of blocks that page-steps.ts knows, and the end of one. */
const KNOWN_FENCE = /^```(?:|(?:sql|sh|text|json|csv)(?: .*)?)$/;
const INDENTED = /^\n {4,}\S/m;

test('every page with SQL is run by a test', () => {
  const withSql = allPages().filter((page) => SQL.test(read(page)));
  assert.deepEqual(
    withSql.filter((page) => !HISTORY.includes(page)),
    Object.keys(PAGES).sort(),
  );
});

test('each scene is run, by one end-to-end file', () => {
  const files = globSync('src/**/*.e2e.ts', { cwd: ROOT });
  for (const scene of SCENES) {
    const call = new RegExp(`^testPages\\(\\s*'${scene}'`, 'm');
    assert.equal(files.filter((file) => call.test(read(file))).length, 1, scene);
  }
});

for (const page of Object.keys(PAGES)) {
  test(`${page}: its blocks can be run, and show something`, () => {
    const text = read(page);
    const steps = pageSteps(text);
    assert.ok(steps.some((step) => 'shown' in step && step.shown !== null));
    for (const step of steps) {
      if (step.kind === 'file') assert.match(step.name, /^[\w.-]+$/, 'a block without a file name');
    }
  });
}

test('there is no code that no test would see: in other fences, or without one', () => {
  const fences = allPages().flatMap((page) =>
    read(page)
      .split('\n')
      .filter((line) => FENCE.test(line) && !KNOWN_FENCE.test(line))
      .map((line) => `${page}: ${line}`),
  );
  assert.deepEqual(fences, []);
  const pages = allPages().filter(
    (page) => page.startsWith('docs/') && INDENTED.test(prose(read(page))),
  );
  assert.deepEqual(pages, []);
});

test('every connector and format has a page, and what is there to run and to see', () => {
  assert.deepEqual(optionProblems(read), []);
});

test('links lead to pages and headings that are there', () => {
  const broken = allPages().flatMap((page) =>
    linksOf(page)
      .filter(({ to, anchor }) => !leadsSomewhere(to, anchor))
      .map(({ text }) => `${page}: ${text}`),
  );
  assert.deepEqual(broken, []);
});

/** A page without its fenced blocks. */
function prose(text: string): string {
  return text.replace(/^```.*?^```$/gms, '');
}

function linksOf(page: string): { text: string; to: string; anchor: string }[] {
  return [...prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, text = '']) => {
    if (/^[a-z]+:/.test(text)) return [];
    const [path = '', anchor = ''] = text.split('#');
    return [{ text, to: path === '' ? page : relative('.', join(dirname(page), path)), anchor }];
  });
}

function leadsSomewhere(to: string, anchor: string): boolean {
  if (!existsSync(join(ROOT, to))) return false;
  return anchor === '' || headingsOf(to).includes(anchor);
}

/** As GitHub makes anchors of headings. */
function headingsOf(page: string): string[] {
  return [...prose(read(page)).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
