/**
 * Patterns that a backtracking engine matches in linear time, with the same result as leftmost-longest matching: sequences
 * of characters, classes, anchors and groups, where only the last item of the whole pattern may repeat (nothing behind it
 * can fail), groups do not repeat, and a group's alternatives begin with different characters.
 */

/** Characters that can come first: code units of literals, or null for "any". */
type First = ReadonlySet<string> | null;

/** A sequence that was read; `first` of what it begins with ('' stands for: it may be empty). */
interface Sequence {
  readonly first: First;
  readonly canBeEmpty: boolean;
}

const ATOM =
  /(?:\\[dDsS.*+?()[\]{}|^$\\/&=-]|\[\^?(?:\\[dsnt.\]\\-]|\\p\{\w+\}|[^\]\\[])+\]|[^\\()[\]{}|^$*+?])/y;

class SimpleReader {
  readonly #pattern: string;
  #at = 0;
  /** Something repeated: only closing parentheses may follow. */
  #hasEnded = false;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  isSimple(): boolean {
    return this.#sequence() !== null && this.#at === this.#pattern.length;
  }

  /** Items up to `|`, `)` or the end; null: not simple. */
  #sequence(): Sequence | null {
    const items: Sequence[] = [];
    for (;;) {
      const char = this.#pattern[this.#at];
      if (char === undefined || char === '|' || char === ')') break;
      if (this.#hasEnded) return null;
      const item = char === '(' ? this.#group() : char === '^' ? this.#anchor() : this.#atom();
      if (item === null) return null;
      items.push(item);
    }
    return joined(items);
  }

  #anchor(): Sequence {
    this.#at += 1;
    return { first: new Set(), canBeEmpty: true };
  }

  #atom(): Sequence | null {
    ATOM.lastIndex = this.#at;
    const match = ATOM.exec(this.#pattern);
    if (match === null) return null;
    this.#at = ATOM.lastIndex;
    const text = match[0];
    const isLiteral = text !== '.' && (text.length === 1 || /^\\[^dDsS]$/.test(text));
    const first = isLiteral ? new Set([text.slice(-1)]) : null;
    const quantifier = this.#pattern[this.#at];
    if (quantifier === '?' || quantifier === '{') return null;
    if (quantifier !== '*' && quantifier !== '+') return { first, canBeEmpty: false };
    this.#at += 1;
    this.#hasEnded = true;
    return { first, canBeEmpty: quantifier === '*' };
  }

  #group(): Sequence | null {
    this.#at += this.#pattern.startsWith('(?:', this.#at) ? 3 : 1;
    if (this.#pattern[this.#at] === '?') return null;
    const alternatives: Sequence[] = [];
    for (;;) {
      const alternative = this.#sequence();
      if (alternative === null) return null;
      alternatives.push(alternative);
      if (this.#pattern[this.#at] !== '|') break;
      if (this.#hasEnded) return null;
      this.#at += 1;
    }
    if (this.#pattern[this.#at] !== ')') return null;
    this.#at += 1;
    if (/[*+?{]/.test(this.#pattern[this.#at] ?? '')) return null;
    return alternatives.length === 1 ? alternatives[0]! : this.#choice(alternatives);
  }

  /** An alternative that may be empty begins with what follows the group, which must be a plain character. */
  #choice(alternatives: readonly Sequence[]): Sequence | null {
    const firsts = new Set<string>();
    for (const { first, canBeEmpty } of alternatives) {
      const own = canBeEmpty ? withFollowing(first, this.#pattern.slice(this.#at)) : first;
      if (own === null) return null;
      for (const char of own) {
        if (firsts.has(char)) return null;
        firsts.add(char);
      }
    }
    return { first: firsts, canBeEmpty: alternatives.some((a) => a.canBeEmpty) };
  }
}

function withFollowing(first: First, rest: string): First {
  const next = /^[^\\()[\]{}|^$*+?.](?![*+?{])/.exec(rest);
  return first === null || next === null ? null : new Set([...first, next[0]]);
}

function joined(items: readonly Sequence[]): Sequence {
  let first: First = new Set();
  for (const item of items) {
    first = first === null || item.first === null ? null : new Set([...first, ...item.first]);
    if (!item.canBeEmpty) return { first, canBeEmpty: false };
  }
  return { first, canBeEmpty: true };
}

/** Is `pattern` (in RE2's syntax) of the simple form? */
export function isSimpleRegex(pattern: string): boolean {
  return new SimpleReader(pattern).isSimple();
}
