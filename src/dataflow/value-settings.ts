/** Settings frozen at CREATE (semantics.md rule 10), as the port gives them and as values are read and written. */

import { DEFAULT_SETTINGS, type ValueSettings } from '../types/settings.ts';

/** By name, in any case; what is not named has its default. */
export function valueSettings(frozen: Readonly<Record<string, string>>): ValueSettings {
  const byLowerCase = new Map(
    Object.entries(frozen).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const digits = Number(byLowerCase.get('extra_float_digits') ?? DEFAULT_SETTINGS.extraFloatDigits);
  return {
    timeZone: byLowerCase.get('timezone') ?? DEFAULT_SETTINGS.timeZone,
    dateStyle: byLowerCase.get('datestyle') ?? DEFAULT_SETTINGS.dateStyle,
    intervalStyle: byLowerCase.get('intervalstyle') ?? DEFAULT_SETTINGS.intervalStyle,
    byteaOutput: byLowerCase.get('bytea_output') === 'escape' ? 'escape' : 'hex',
    extraFloatDigits: digits,
  };
}
