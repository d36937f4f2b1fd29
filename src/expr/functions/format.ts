/** format(): %s, %I, %L with positions, widths and the minus flag, as PostgreSQL's. */

import { SqlError } from '../../base/sql-error.ts';
import type { Value } from '../../types/data-type.ts';
import { type CallContext, defineGeneral } from '../registry.ts';
import { charLength } from './characters.ts';
import { quoteIdentifier, quoteLiteral } from './encoding.ts';
import { outputText } from './text.ts';

const SPECIFIER = /%(?:(%)|(?:(\d+)\$)?(-?)(?:(\d+)|\*(?:(\d+)\$)?|(\*))?([\s\S]?))/g;

class Formatter {
  readonly #args: readonly Value[];
  readonly #call: CallContext;
  #next = 1;

  constructor(args: readonly Value[], call: CallContext) {
    this.#args = args;
    this.#call = call;
  }

  run(pattern: string): string {
    return pattern.replace(
      SPECIFIER,
      (whole, percent, position, minus, width, widthPosition, _star, kind) => {
        if (percent === '%') return '%';
        const starred = whole.includes('*') ? this.#width(widthPosition) : 0;
        const wanted = width === undefined ? starred : Number(width);
        const text = this.#one(position, kind as string);
        return padded(text, Math.abs(wanted), minus === '-' || wanted < 0);
      },
    );
  }

  #width(position: string | undefined): number {
    const value = this.#args[this.#take(position)];
    return value === null || value === undefined ? 0 : Number(value as number);
  }

  #take(position: string | undefined): number {
    if (position === '0') {
      throw new SqlError('22023', 'format specifies argument 0, but arguments are numbered from 1');
    }
    const index = position === undefined ? this.#next : Number(position);
    this.#next = index + 1;
    if (index >= this.#args.length) throw new SqlError('22023', 'too few arguments for format()');
    return index;
  }

  #one(position: string | undefined, kind: string): string {
    if (kind === '') {
      throw new SqlError('22023', 'unterminated format() type specifier', {
        hint: 'For a single "%" use "%%".',
      });
    }
    if (!'sIL'.includes(kind)) {
      throw new SqlError('22023', `unrecognized format() type specifier "${kind}"`, {
        hint: 'For a single "%" use "%%".',
      });
    }
    const index = this.#take(position);
    const value = this.#args[index] as Value;
    if (value === null) return nullText(kind);
    const text = outputText(value, index, this.#call);
    return kind === 's' ? text : kind === 'I' ? quoteIdentifier(text) : quoteLiteral(text);
  }
}

function nullText(kind: string): string {
  if (kind === 'I')
    throw new SqlError('22004', 'null values cannot be formatted as an SQL identifier');
  return kind === 'L' ? 'NULL' : '';
}

function padded(text: string, width: number, isLeft: boolean): string {
  const missing = ' '.repeat(Math.max(0, width - charLength(text)));
  return isLeft ? text + missing : missing + text;
}

defineGeneral(
  'format(text,any)',
  'text',
  (args, call) => (typeof args[0] === 'string' ? new Formatter(args, call).run(args[0]) : null),
  { isStrict: false, volatility: 'stable', variadic: 'any' },
);
defineGeneral(
  'format(text)',
  'text',
  (args, call) => new Formatter(args, call).run(args[0] as string),
  {
    volatility: 'stable',
  },
);
