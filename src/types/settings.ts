/** The session's settings that change how values are read and written. */

export interface ValueSettings {
  readonly timeZone: string;
  /** `ISO, MDY` and the like. */
  readonly dateStyle: string;
  /** postgres, postgres_verbose, sql_standard, iso_8601. */
  readonly intervalStyle: string;
  readonly byteaOutput: 'hex' | 'escape';
  readonly extraFloatDigits: number;
  /** What 'now' and 'today' mean; absent: they are refused. */
  readonly nowUs?: bigint;
}

export const DEFAULT_SETTINGS: ValueSettings = Object.freeze({
  timeZone: 'UTC',
  dateStyle: 'ISO, MDY',
  intervalStyle: 'postgres',
  byteaOutput: 'hex',
  extraFloatDigits: 1,
});
