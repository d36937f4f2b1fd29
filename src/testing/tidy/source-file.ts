/** A source file as tidy's rules see it: its text, its imports, its syntax tree. */

import { dirname, join, normalize } from 'node:path';
import { type ParseResult, parseSync } from 'oxc-parser';

export interface Import {
  readonly from: string;
  readonly isTypeOnly: boolean;
}

export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export class SourceFile {
  /** From the repository's root: src/base/assert.ts. */
  readonly path: string;
  readonly text: string;
  #parsed: ParseResult | null = null;

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
  }

  /** Under src: base, types ...; '' for what lies in src itself or elsewhere. */
  get folder(): string {
    const parts = this.path.split('/');
    return parts[0] === 'src' && parts.length > 2 ? parts[1]! : '';
  }

  get isTypeScript(): boolean {
    return this.path.endsWith('.ts');
  }

  get isTest(): boolean {
    return this.path.endsWith('.test.ts');
  }

  get imports(): Import[] {
    const { module } = this.#parse();
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

  /** The path that a relative import means. */
  target(from: string): string {
    return normalize(join(dirname(this.path), from));
  }

  /** Every node of the syntax tree. */
  *nodes(): Generator<Node> {
    const open: Node[] = [this.#parse().program as unknown as Node];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      yield node;
      for (const value of Object.values(node)) {
        if (Array.isArray(value)) open.push(...value.filter(isNode));
        else if (isNode(value)) open.push(value);
      }
    }
  }

  /** `path:line` of an offset into the text. */
  place(offset: number): string {
    return `${this.path}:${this.text.slice(0, offset).split('\n').length}`;
  }

  #parse(): ParseResult {
    this.#parsed ??= parseSync(this.path, this.text);
    return this.#parsed;
  }
}

function isNode(value: unknown): value is Node {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { type?: unknown }).type === 'string'
  );
}
