/** WITH (...) FORMAT ... ENCODE ... of CREATE SOURCE and CREATE SINK, as the catalog keeps them. */

import { SqlError } from '../base/sql-error.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { type ConnectorDefinition, secretReference } from '../catalog/objects.ts';
import { OptionError } from '../connect/options.ts';
import { maySecretBe } from '../connect/sealed-options.ts';
import type { ColumnDefinition, FormatClause, Option } from '../sql/statements.ts';

/** Names in lower case, and values; 42601 and 22023 for those that are twice, or have none. */
export function optionMap(
  options: readonly Option[],
  secretOf: (option: Option, name: string) => string | null = () => null,
): Record<string, string> {
  const map: Record<string, string> = Object.create(null);
  for (const option of options) {
    const { name, position } = option;
    const key = name.toLowerCase();
    const value = option.value ?? secretOf(option, key);
    if (Object.hasOwn(map, key))
      throw new SqlError('42601', `option "${key}" is given twice`, { position });
    if (value === null) throw new SqlError('22023', `option "${key}" needs a value`, { position });
    map[key] = value;
  }
  return map;
}

export function connectorDefinition(
  options: readonly Option[],
  format: FormatClause | null,
  position: number,
  catalog: Catalog,
): ConnectorDefinition {
  const secretOf = (option: Option, name: string) => referenceOf(option, name, catalog);
  const map = optionMap(options, secretOf);
  const connector = map.connector;
  if (connector === undefined) {
    throw new SqlError('22023', 'option "connector" is missing', {
      position,
      hint: "Say WITH (connector = '...').",
    });
  }
  return {
    connector: connector.toLowerCase(),
    options: map,
    format: format?.format.toLowerCase() ?? null,
    encode: format?.encode.toLowerCase() ?? null,
    encodeOptions: optionMap(format?.options ?? [], secretOf),
  };
}

/** What is kept of `option = secret NAME`; null: the option has no secret. */
function referenceOf(option: Option, name: string, catalog: Catalog): string | null {
  const { secret: named, position, valuePosition } = option;
  if (named === undefined) return null;
  if (!maySecretBe(name)) {
    throw new SqlError('22023', `option "${name}" cannot be a secret`, {
      position,
      hint: 'Names and addresses are shown in errors. Passwords, user names, tokens and PEM texts may be secrets.',
    });
  }
  const secret = catalog.secret(named);
  if (secret !== undefined) return secretReference(secret.id);
  throw new SqlError('42704', `secret "${named}" does not exist`, { position: valuePosition });
}

interface WithOptions {
  /** Of what a connector fills. */
  readonly columns?: readonly ColumnDefinition[];
  readonly options: readonly Option[];
  readonly format: FormatClause | null;
}

/** Runs `work`, and gives an error about an option the option's position in the statement. */
export async function withOptionPlaces(ast: WithOptions, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw withOptionPlace(error, ast);
  }
}

/** The error, with the option's position in the statement where it is about one. */
export function withOptionPlace(error: unknown, ast: WithOptions): unknown {
  return error instanceof OptionError ? error.at(positionOf(error, ast)) : error;
}

function positionOf(
  { place }: OptionError,
  { columns = [], options, format }: WithOptions,
): number | undefined {
  if (place.clause === 'encode') return format?.position;
  if (place.clause === 'default') {
    return columns.find(({ name }) => name === place.column)?.default?.position;
  }
  const all = place.clause === 'with' ? options : (format?.options ?? []);
  const option = all.find(({ name }) => name.toLowerCase() === place.name);
  return place.part === 'name' ? option?.position : option?.valuePosition;
}
