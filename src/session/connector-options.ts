/** WITH (...) FORMAT ... ENCODE ... of CREATE SOURCE and CREATE SINK, as the catalog keeps them. */

import { SqlError } from '../base/sql-error.ts';
import type { ConnectorDefinition } from '../catalog/objects.ts';
import { OptionError } from '../connect/options.ts';
import type { ColumnDefinition, FormatClause, Option } from '../sql/statements.ts';

function optionMap(options: readonly Option[]): Record<string, string> {
  const map: Record<string, string> = Object.create(null);
  for (const { name, value, position } of options) {
    const key = name.toLowerCase();
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
): ConnectorDefinition {
  const map = optionMap(options);
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
    encodeOptions: optionMap(format?.options ?? []),
  };
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
    throw error instanceof OptionError ? error.at(positionOf(error, ast)) : error;
  }
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
