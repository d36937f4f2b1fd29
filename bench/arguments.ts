/** The bench's command line: `--name value` or `--name=value`, each name known, each value checked. */

/** A refused command line: its message is the one line to print. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export type Values = ReadonlyMap<string, string>;

/** Reads `args`; the names of `defaults` are all that there are. */
export function readArguments(
  args: readonly string[],
  defaults: Readonly<Record<string, string>>,
): Values {
  const values = new Map(Object.entries(defaults));
  for (let index = 0; index < args.length; index++) {
    const [, name, attached] = /^--([a-z-]+)(?:=(.*))?$/s.exec(args[index]!) ?? [];
    if (name === undefined || !Object.hasOwn(defaults, name)) {
      const known = Object.keys(defaults).map((key) => `--${key}`);
      throw new UsageError(`bench: unknown option ${args[index]}: there are ${known.join(', ')}`);
    }
    const value = attached ?? args[++index];
    if (value === undefined) throw new UsageError(`bench: --${name} needs a value`);
    values.set(name, value);
  }
  return values;
}

export function textOf(values: Values, name: string): string {
  return values.get(name) ?? '';
}

/** A whole number above 0; `1e6`, `500k` and `5M` are understood. */
export function countOf(values: Values, name: string): number {
  const text = textOf(values, name);
  const [, digits, unit] = /^(\d+(?:\.\d+)?(?:e\d+)?)([kKmM]?)$/.exec(text) ?? [];
  const factor = { k: 1e3, m: 1e6 }[unit?.toLowerCase() ?? ''] ?? 1;
  const count = Number(digits) * factor;
  if (!Number.isInteger(count) || count < 1) {
    throw new UsageError(`bench: --${name} must be a whole number above 0, not "${text}"`);
  }
  return count;
}

export function choiceOf<T extends string>(values: Values, name: string, choices: readonly T[]): T {
  const text = textOf(values, name);
  const found = choices.find((choice) => choice === text);
  if (found === undefined) {
    throw new UsageError(`bench: --${name} must be one of ${choices.join(', ')}, not "${text}"`);
  }
  return found;
}
