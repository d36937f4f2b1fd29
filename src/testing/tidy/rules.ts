/**
 * The rules that hold the sources to how this codebase is laid out. Every rule says why it is there and what to do instead,
 * and has an example that it must find fault with; a rule that no longer helps is deleted here, not worked around there.
 */

import { basename } from 'node:path';
import { MAY_IMPORT, PACKAGE_OWNER } from './layers.ts';
import type { SourceFile } from './source-file.ts';

export interface Rule {
  readonly name: string;
  /** What is wrong, one line each: place, what it is, what to do instead. */
  readonly problems: (files: readonly SourceFile[]) => string[];
  /** Sources with one fault, by path. */
  readonly bad: Readonly<Record<string, string>>;
}

const BANNED: readonly { pattern: RegExp; allowed: RegExp; instead: string }[] = [
  {
    pattern: /\bDate\.now\(/,
    allowed: /^(src\/base|bench)\//,
    instead: 'take a Clock (base/clock.ts): tests and replay need to set the time',
  },
  {
    pattern: /\bMath\.random\(/,
    allowed: /^src\/base\//,
    instead: 'take a Random (base/random.ts): every run must be repeatable from its seed',
  },
  {
    pattern: /\bconsole\./,
    allowed: /^(src\/(base\/|main\.ts|client\/|testing\/|launcher)|bench\/)/,
    instead: 'use the Logger (base/log.ts): output is structured and has a level',
  },
  {
    pattern: /\bprocess\.env\b/,
    allowed: /^(src\/(base\/config|main\.ts|testing\/|launcher)|bench\/)/,
    instead: 'add an option to base/config.ts: settings come from one place',
  },
  {
    pattern: /\beval\(|new Function\(/,
    allowed: /^$/,
    instead: 'interpret it: no code is made from text (security)',
  },
];

const FILE_LINES_MAX = 500;
const TEST_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 70;
const FUNCTION = /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/;

/** Names that say nothing of what is inside. */
const EMPTY_NAME = /(^|-)(utils?|helpers?|common|managers?)(-|\.|$)/;
const KEBAB_CASE = /^[a-z0-9]+([-.][a-z0-9]+)*$/;

const typeScript = (files: readonly SourceFile[]): SourceFile[] =>
  files.filter((file) => file.isTypeScript);
/** Folders of src whose files are part of the product. */
const layered = (files: readonly SourceFile[]): SourceFile[] =>
  typeScript(files).filter(
    ({ folder, isTest }) => folder !== '' && folder !== 'testing' && !isTest,
  );

function layerProblems(file: SourceFile): string[] {
  const allowed = MAY_IMPORT[file.folder];
  if (allowed === undefined) {
    return [`${file.path}: folder ${file.folder} is not in the table; place the file elsewhere`];
  }
  return file.imports.flatMap(({ from }) => {
    if (!from.startsWith('.')) return [];
    const folder = file.target(from).split('/')[1]!;
    if (folder === file.folder || allowed.includes(folder)) return [];
    const names = allowed.join(', ') || 'nothing';
    return [
      `${file.path}: imports ${from}; ${file.folder} may import ${names}: move the shared part down`,
    ];
  });
}

function parserProblems(file: SourceFile): string[] {
  if (file.folder !== 'dataflow') return [];
  return file.imports
    .filter(({ from, isTypeOnly }) => from.includes('/plan/') && !isTypeOnly)
    .map(({ from }) => `${file.path}: imports values from ${from}; use import type`);
}

function packageProblems(file: SourceFile): string[] {
  return file.imports.flatMap(({ from }) => {
    const name = Object.keys(PACKAGE_OWNER).find(
      (entry) => from === entry || from.startsWith(`${entry}/`),
    );
    if (name === undefined || PACKAGE_OWNER[name]!.includes(file.folder)) return [];
    const owner = PACKAGE_OWNER[name]!.join(', ');
    return [`${file.path}: imports ${from}, whose owner is ${owner}: use what that folder exports`];
  });
}

function cycleProblems(files: readonly SourceFile[]): string[] {
  const edges = new Map(
    files.map((file) => [
      file.path,
      file.imports
        .filter(({ from, isTypeOnly }) => from.startsWith('.') && !isTypeOnly)
        .map(({ from }) => file.target(from)),
    ]),
  );
  const state = new Map<string, 'open' | 'done'>();
  const problems: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      const cycle = [...trail.slice(trail.indexOf(path)), path].join(' -> ');
      problems.push(`${cycle}: a cycle; move what both need into a third file`);
      return;
    }
    state.set(path, 'open');
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    state.set(path, 'done');
  };
  for (const file of files) visit(file.path, []);
  return problems;
}

function bannedProblems(file: SourceFile): string[] {
  if (file.isTest) return [];
  return file.text.split('\n').flatMap((line, index) => {
    const code = line.replace(/^\s*(\/\/|\*|\/\*).*/, '').replace(/'(?:[^'\\]|\\.)*'/g, "''");
    return BANNED.filter(
      ({ pattern, allowed }) => pattern.test(code) && !allowed.test(file.path),
    ).map(({ pattern, instead }) => `${file.path}:${index + 1}: ${pattern.source}: ${instead}`);
  });
}

function fileLengthProblems(file: SourceFile): string[] {
  const lineCount = file.text.split('\n').length - 1;
  const most = file.isTest ? TEST_LINES_MAX : FILE_LINES_MAX;
  if (lineCount <= most || isDeclarationsOnly(file)) return [];
  return [
    `${file.path}: ${lineCount} lines; at most ${most}: split it by what its parts are about`,
  ];
}

/** Types and constants without code: a list is read by searching it. */
function isDeclarationsOnly(file: SourceFile): boolean {
  for (const node of file.nodes()) if (FUNCTION.test(node.type)) return false;
  return true;
}

function functionLengthProblems(file: SourceFile): string[] {
  if (file.isTest) return [];
  const problems: string[] = [];
  for (const node of file.nodes()) {
    if (!FUNCTION.test(node.type)) continue;
    const length = file.text.slice(node.start, node.end).split('\n').length;
    if (length <= FUNCTION_LINES_MAX) continue;
    problems.push(
      `${file.place(node.start)}: a function of ${length} lines; at most ${FUNCTION_LINES_MAX}: name its parts`,
    );
  }
  return problems;
}

function openingProblems(file: SourceFile): string[] {
  if (file.isTest || /^(#!.*\n)?\/\*\*/.test(file.text)) return [];
  return [`${file.path}: opens without a comment that says what it is`];
}

/** `kind` of node is not for here. */
function nodeProblems(kind: string, instead: string, except = '') {
  return (file: SourceFile): string[] => {
    if (file.folder === except && except !== '') return [];
    return [...file.nodes()]
      .filter(({ type }) => type === kind)
      .map(({ start }) => `${file.place(start)}: ${instead}`);
  };
}

function nameProblems({ path }: SourceFile): string[] {
  const parts = path.split('/').slice(1);
  const problems: string[] = [];
  if (parts.some((part) => EMPTY_NAME.test(part))) {
    problems.push(`${path}: a name that says nothing; name the thing`);
  }
  if (basename(path) !== 'README.md' && parts.some((part) => !KEBAB_CASE.test(part))) {
    problems.push(`${path}: not in kebab-case`);
  }
  return problems;
}

/** `statement error 22012 division` would pass for many messages. */
function errorPatternProblems({ path, text }: SourceFile): string[] {
  if (!path.endsWith('.slt')) return [];
  return text.split('\n').flatMap((line, index) => {
    if (!/^(statement|query) error /.test(line) || / \^.*\$$/.test(line)) return [];
    return [`${path}:${index + 1}: not the whole message; write it from ^ to $`];
  });
}

const each =
  (select: (files: readonly SourceFile[]) => SourceFile[], check: (file: SourceFile) => string[]) =>
  (files: readonly SourceFile[]): string[] =>
    select(files).flatMap(check);

const manyLines = (line: string): string => `${line}\n`.repeat(601);

export const RULES: readonly Rule[] = [
  {
    name: 'a folder imports only the folders that its layer allows',
    problems: each(layered, layerProblems),
    bad: { 'src/base/a.ts': "/** A. */\nimport { b } from '../sql/b.ts';\nb();\n" },
  },
  {
    name: 'a folder is one of the table',
    problems: each(layered, layerProblems),
    bad: { 'src/misc/a.ts': '/** A. */\n' },
  },
  {
    name: 'workers never load the parser: dataflow takes only types from plan',
    problems: each(layered, parserProblems),
    bad: { 'src/dataflow/a.ts': "/** A. */\nimport { plan } from '../plan/b.ts';\nplan();\n" },
  },
  {
    name: 'a package has one owner',
    problems: each(layered, packageProblems),
    bad: { 'src/serve/a.ts': "/** A. */\nexport { z } from 'zod';\n" },
  },
  {
    name: 'no import cycles between files',
    problems: (files) => cycleProblems(typeScript(files)),
    bad: {
      'src/base/a.ts': "/** A. */\nimport { b } from './b.ts';\nexport const a = () => b();\n",
      'src/base/b.ts': "/** B. */\nimport { a } from './a.ts';\nexport const b = () => a();\n",
    },
  },
  {
    name: 'no banned calls',
    problems: each(typeScript, bannedProblems),
    bad: { 'src/plan/a.ts': '/** A. */\nexport const at = Date.now();\n' },
  },
  {
    name: 'files are of a size that one can read',
    problems: each(typeScript, fileLengthProblems),
    bad: { 'src/plan/a.test.ts': `const f = () => 1;\n${manyLines('f();')}` },
  },
  {
    name: 'functions are of a size that one can read',
    problems: each(typeScript, functionLengthProblems),
    bad: { 'bench/a.ts': `/** A. */\nexport function f() {\n${manyLines('f();')}}\n` },
  },
  {
    name: 'every file opens with what it is',
    problems: each(typeScript, openingProblems),
    bad: { 'bench/a.ts': 'export const a = 1;\n' },
  },
  {
    name: 'no default exports',
    problems: each(typeScript, nodeProblems('ExportDefaultDeclaration', 'name the export')),
    bad: { 'src/base/a.ts': '/** A. */\nexport default 1;\n' },
  },
  {
    name: 'no enums',
    problems: each(typeScript, nodeProblems('TSEnumDeclaration', 'use a union of literals')),
    bad: { 'src/base/a.ts': '/** A. */\nenum A { b }\n' },
  },
  {
    // libpg-query's tree enters through sql's adapter.
    name: 'no `any`',
    problems: each(typeScript, nodeProblems('TSAnyKeyword', 'name the type, or unknown', 'sql')),
    bad: { 'src/base/a.ts': '/** A. */\nexport const a: any = 1;\n' },
  },
  {
    name: 'files and folders are named in kebab-case',
    problems: (files) => files.flatMap(nameProblems),
    bad: { 'src/base/bigThing.ts': '/** A. */\n' },
  },
  {
    name: 'names say what is inside',
    problems: (files) => files.flatMap(nameProblems),
    bad: { 'src/base/string-utils.ts': '/** A. */\n' },
  },
  {
    name: 'sql-tests expect the whole message of an error',
    problems: (files) => files.flatMap(errorPatternProblems),
    bad: { 'sql-tests/errors/a.slt': 'statement error 22012 division\nSELECT 1 / 0\n' },
  },
];
