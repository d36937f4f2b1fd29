/** WITH (...) FORMAT ... ENCODE ... of CREATE SOURCE and CREATE SINK, as the catalog keeps them. */

import { SqlError } from '../base/sql-error.ts';
import type { ConnectorDefinition } from '../catalog/objects.ts';
import type { FormatClause, Option } from '../sql/statements.ts';

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
