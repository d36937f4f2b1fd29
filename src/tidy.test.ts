/**
 * Tidy: reads the sources and holds them to how this codebase is laid out. Every rule says why it is there and what to
 * do instead; a rule that no longer helps is deleted here, not worked around there.
 */

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { test } from 'node:test';
import { parseSync } from 'oxc-parser';

const ROOT = join(import.meta.dirname, '..');

/** Folders in the order of layers; each may import only those named (src/README.md). */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  types: ['base'],
  memory: ['base', 'types'],
  batch: ['base', 'types', 'memory'],
  kernels: ['base', 'types', 'memory', 'batch'],
  formats: ['base', 'types', 'memory', 'batch', 'kernels'],
  expr: ['base', 'types', 'memory', 'batch', 'kernels'],
  sql: ['base', 'types'],
  catalog: ['base', 'types', 'sql'],
  plan: ['base', 'types', 'expr', 'sql', 'catalog'],
  connect: ['base', 'types', 'memory', 'batch', 'kernels', 'formats'],
  state: ['base', 'types', 'memory', 'batch', 'kernels'],
  dataflow: [
    'base',
    'types',
    'memory',
    'batch',
    'kernels',
    'formats',
    'expr',
    'connect',
    'state',
    'plan',
  ],
  serve: [
    'base',
    'types',
    'memory',
    'batch',
    'kernels',
    'formats',
    'expr',
    'catalog',
    'plan',
    'state',
    'dataflow',
  ],
  session: [
    'base',
    'types',
    'batch',
    'formats',
    'expr',
    'sql',
    'catalog',
    'plan',
    'connect',
    'state',
    'dataflow',
    'serve',
    'memory',
  ],
  wire: ['base', 'types', 'batch', 'formats', 'session'],
  ops: ['base', 'session', 'connect'],
  client: ['base'],
  demo: ['base', 'client'],
  testing: [
    'base',
    'types',
    'memory',
    'batch',
    'kernels',
    'formats',
    'expr',
    'sql',
    'catalog',
    'plan',
    'connect',
    'state',
    'dataflow',
    'serve',
    'session',
    'wire',
    'ops',
  ],
};

/** Who alone may import a package: the rest goes through that folder, so that a library can be replaced in one place. */
const PACKAGE_OWNER: Readonly<Record<string, readonly string[]>> = {
  'node:worker_threads': ['base'],
  pino: ['base'],
  'pino-pretty': ['base'],
  'prom-client': ['base'],
  zod: ['base'],
  'libpg-query': ['sql'],
  peggy: ['sql'],
  'pg-protocol': ['wire'],
  'better-sqlite3': ['state'],
  piscina: ['serve'],
  re2js: ['expr', 'connect'],
  '@platformatic/kafka': ['connect'],
  hono: ['ops'],
  pg: ['client'],
  '@hono/node-server': ['ops'],
};

const BANNED: readonly { pattern: RegExp; allowed: RegExp; instead: string }[] = [
  {
    pattern: /\bDate\.now\(/,
    allowed: /^src\/base\//,
    instead: 'take a Clock (base/clock.ts): tests and replay need to set the time',
  },
  {
    pattern: /\bMath\.random\(/,
    allowed: /^src\/base\//,
    instead: 'take a Random (base/random.ts): every run must be repeatable from its seed',
  },
  {
    pattern: /\bconsole\./,
    allowed: /^src\/(base\/|main\.ts|client\/|testing\/|launcher)/,
    instead: 'use the Logger (base/log.ts): output is structured and has a level',
  },
  {
    pattern: /\bprocess\.env\b/,
    allowed: /^src\/(base\/config|main\.ts|testing\/|launcher)/,
    instead: 'add an option to base/config.ts: settings come from one place',
  },
  {
    pattern: /\beval\(|new Function\(/,
    allowed: /^$/,
    instead: 'interpret it: no code is made from text (security)',
  },
];

const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;

interface SourceFile {
  readonly path: string;
  readonly folder: string;
  readonly text: string;
  readonly isTest: boolean;
}

const files: readonly SourceFile[] = globSync('src/**/*.ts', { cwd: ROOT })
  .filter((path) => !path.endsWith('.as.ts') && !path.endsWith('.generated.ts'))
  .sort()
  .map((path) => ({
    path,
    folder: path.split('/').length > 2 ? path.split('/')[1]! : '',
    text: readFileSync(join(ROOT, path), 'utf8'),
    isTest: path.endsWith('.test.ts'),
  }));

const parsed = new Map(files.map((file) => [file.path, parseSync(file.path, file.text)]));

interface Import {
  readonly from: string;
  readonly isTypeOnly: boolean;
}

function importsOf(file: SourceFile): Import[] {
  const module = parsed.get(file.path)!.module;
  const statics = module.staticImports.map((entry) => ({
    from: entry.moduleRequest.value,
    isTypeOnly: entry.entries.length > 0 && entry.entries.every((name) => name.isType),
  }));
  const exported = module.staticExports.flatMap((entry) =>
    entry.entries.flatMap((name) =>
      name.moduleRequest ? [{ from: name.moduleRequest.value, isTypeOnly: name.isType }] : [],
    ),
  );
  return [...statics, ...exported];
}

function targetOf(file: SourceFile, from: string): string {
  return normalize(join(dirname(file.path), from));
}

function report(problems: readonly string[]): void {
  assert.equal(problems.length, 0, `\n${problems.join('\n')}`);
}

test('a folder imports only the folders that its layer allows', () => {
  const problems: string[] = [];
  for (const file of files) {
    if (file.folder === '' || file.folder === 'testing' || file.isTest) continue;
    const allowed = MAY_IMPORT[file.folder];
    if (allowed === undefined) {
      problems.push(
        `${file.path}: folder ${file.folder} is not in the table; place the file in a folder that is`,
      );
      continue;
    }
    for (const { from } of importsOf(file)) {
      if (!from.startsWith('.')) continue;
      const folder = targetOf(file, from).split('/')[1]!;
      if (folder !== file.folder && !allowed.includes(folder)) {
        problems.push(
          `${file.path}: imports ${from}; ${file.folder} may import ${allowed.join(', ') || 'nothing'}: move the shared part down`,
        );
      }
    }
  }
  report(problems);
});

test('workers never load the parser: dataflow takes only types from plan', () => {
  report(
    files
      .filter((file) => file.folder === 'dataflow' && !file.isTest)
      .flatMap((file) =>
        importsOf(file)
          .filter(({ from, isTypeOnly }) => from.includes('/plan/') && !isTypeOnly)
          .map(({ from }) => `${file.path}: imports values from ${from}; use import type`),
      ),
  );
});

test('a package has one owner', () => {
  const problems: string[] = [];
  for (const file of files) {
    if (file.folder === 'testing' || file.isTest) continue;
    for (const { from } of importsOf(file)) {
      const name = Object.keys(PACKAGE_OWNER).find(
        (entry) => from === entry || from.startsWith(`${entry}/`),
      );
      if (name !== undefined && !PACKAGE_OWNER[name]!.includes(file.folder)) {
        problems.push(
          `${file.path}: imports ${from}, whose owner is ${PACKAGE_OWNER[name]!.join(', ')}: use what that folder exports`,
        );
      }
    }
  }
  report(problems);
});

test('no import cycles between files', () => {
  const edges = new Map(
    files.map((file) => [
      file.path,
      importsOf(file)
        .filter(({ from, isTypeOnly }) => from.startsWith('.') && !isTypeOnly)
        .map(({ from }) => targetOf(file, from)),
    ]),
  );
  const state = new Map<string, 'open' | 'done'>();
  const problems: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      problems.push(
        `${[...trail.slice(trail.indexOf(path)), path].join(' -> ')}: a cycle; move what both need into a third file`,
      );
      return;
    }
    state.set(path, 'open');
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    state.set(path, 'done');
  };
  for (const file of files) visit(file.path, []);
  report(problems);
});

test('banned calls', () => {
  const problems: string[] = [];
  for (const file of files) {
    if (file.isTest) continue;
    file.text.split('\n').forEach((line, index) => {
      const code = line.replace(/^\s*(\/\/|\*|\/\*).*/, '').replace(/'(?:[^'\\]|\\.)*'/g, "''");
      for (const { pattern, allowed, instead } of BANNED) {
        if (pattern.test(code) && !allowed.test(file.path))
          problems.push(`${file.path}:${index + 1}: ${pattern.source}: ${instead}`);
      }
    });
  }
  report(problems);
});

test('files and functions are of a size that one can read', () => {
  const problems: string[] = [];
  for (const file of files) {
    if (file.isTest) continue;
    const lineCount = file.text.split('\n').length - 1;
    if (lineCount > FILE_LINES_MAX && !isDeclarationsOnly(file)) {
      problems.push(
        `${file.path}: ${lineCount} lines; at most ${FILE_LINES_MAX}: split it by what its parts are about`,
      );
    }
    problems.push(...longFunctions(file));
  }
  report(problems);
});

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { type?: unknown }).type === 'string'
  );
}

/** Every node of a file's syntax tree. */
function* nodesOf(file: SourceFile): Generator<Node> {
  const open: Node[] = [parsed.get(file.path)!.program as unknown as Node];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    yield node;
    for (const value of Object.values(node)) {
      if (Array.isArray(value)) open.push(...value.filter(isNode));
      else if (isNode(value)) open.push(value);
    }
  }
}

const FUNCTION = /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/;

/** Types and constants without code: a list is read by searching it. */
function isDeclarationsOnly(file: SourceFile): boolean {
  for (const node of nodesOf(file)) if (FUNCTION.test(node.type)) return false;
  return true;
}

function longFunctions(file: SourceFile): string[] {
  const problems: string[] = [];
  const lineOf = (offset: number): number => file.text.slice(0, offset).split('\n').length;
  for (const node of nodesOf(file)) {
    if (!FUNCTION.test(node.type)) continue;
    const length = file.text.slice(node.start, node.end).split('\n').length;
    if (length > FUNCTION_LINES_MAX) {
      problems.push(
        `${file.path}:${lineOf(node.start)}: a function of ${length} lines; at most ${FUNCTION_LINES_MAX}: name its parts`,
      );
    }
  }
  return problems;
}

test('every file opens with what it is', () => {
  report(
    files
      .filter((file) => !file.isTest && !/^(#!.*\n)?\/\*\*/.test(file.text))
      .map((file) => `${file.path}: opens without a comment that says what it is`),
  );
});

test('no default exports, no enums, no `any`', () => {
  const problems: string[] = [];
  for (const file of files) {
    for (const node of nodesOf(file)) {
      const where = `${file.path}:${file.text.slice(0, node.start).split('\n').length}`;
      if (node.type === 'ExportDefaultDeclaration')
        problems.push(`${where}: a default export; name it`);
      if (node.type === 'TSEnumDeclaration')
        problems.push(`${where}: an enum; use a union of literals`);
      // libpg-query's tree enters through sql's adapter.
      if (node.type === 'TSAnyKeyword' && file.folder !== 'sql')
        problems.push(`${where}: \`any\`; name the type, or unknown`);
    }
  }
  report(problems);
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
