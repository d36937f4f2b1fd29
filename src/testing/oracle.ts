/**
 * PostgreSQL as an oracle in tests: PGlite, one instance a process. It is PostgreSQL 18 and Millrace means PostgreSQL 15: a
 * statement in DIFFERS is answered otherwise by 15 and must not be compared.
 */

import { PGlite } from '@electric-sql/pglite';

/** What PostgreSQL 15 does otherwise than 18, as far as statements of tests meet it. */
export const DIFFERS: readonly { readonly pattern: RegExp; readonly in15: string }[] = [
  { pattern: /\b0[xob][0-9a-f]/i, in15: 'no hexadecimal, octal, binary literals' },
  { pattern: /\d_\d/, in15: 'no underscores in numbers' },
  { pattern: /\bany_value\s*\(/i, in15: 'no any_value()' },
  { pattern: /\brandom_normal\s*\(|\brandom\s*\(\s*\d/i, in15: 'no random_normal(), random(a, b)' },
  { pattern: /\barray_(shuffle|sample|reverse|sort)\s*\(/i, in15: 'not there' },
  { pattern: /\bto_(bin|oct)\s*\(/i, in15: 'not there' },
  { pattern: /\b(casefold|gamma|lgamma|crc32c?|uuidv[47])\s*\(/i, in15: 'not there' },
  {
    pattern: /\bIS\s+(NOT\s+)?JSON\b|\bJSON_(TABLE|QUERY|VALUE|EXISTS|SCALAR)\b/i,
    in15: 'not there',
  },
  { pattern: /\bJSON_(OBJECT|ARRAY)AGG\b/i, in15: 'not there' },
  { pattern: /\bMERGE\b[\s\S]*\bRETURNING\b/i, in15: 'MERGE has no RETURNING' },
  { pattern: /\bRETURNING\b[\s\S]*\b(old|new)\./i, in15: 'no old and new in RETURNING' },
  { pattern: /\bdate_add\s*\(|\bdate_subtract\s*\(/i, in15: 'not there' },
  { pattern: /\binterval\s+'[^']*infinity/i, in15: 'no infinite intervals' },
  { pattern: /'-?infinity'::interval/i, in15: 'no infinite intervals' },
  { pattern: /\b(VIRTUAL)\b/i, in15: 'generated columns are STORED' },
  { pattern: /\bFROM\s*\([^()]*\)\s*(;|$)/i, in15: 'a derived table needs an alias' },
];

export interface OracleResult {
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Why PostgreSQL 15 would answer otherwise than the oracle; null: as far as known it would not. */
export function differsIn15(sql: string): string | null {
  return DIFFERS.find(({ pattern }) => pattern.test(sql))?.in15 ?? null;
}

const asText = (value: string): string => value;
/** OIDs of PostgreSQL's own types are below this. */
const OIDS_MAX = 16_384;
/** Every type as the text that PostgreSQL prints. */
const TEXT_PARSERS: Readonly<Record<number, (value: string) => string>> = Object.fromEntries(
  Array.from({ length: OIDS_MAX }, (_, oid) => [oid, asText]),
);

let instance: Promise<PGlite> | null = null;

/** PostgreSQL in this process, started at the first call. */
export async function oracle(): Promise<Oracle> {
  instance ??= PGlite.create();
  return new Oracle(await instance);
}

export class Oracle {
  readonly #database: PGlite;

  constructor(database: PGlite) {
    this.#database = database;
  }

  /** Runs one statement; values as text. Throws what PostgreSQL says, with `code`. */
  async query(sql: string): Promise<OracleResult> {
    const result = await this.#database.query<(string | null)[]>(sql, [], {
      rowMode: 'array',
      parsers: TEXT_PARSERS,
    });
    return { rows: result.rows };
  }

  /** Runs a script. */
  async exec(sql: string): Promise<void> {
    await this.#database.exec(sql);
  }
}

/** Ends the instance; a later `oracle()` starts a new one. */
export async function closeOracle(): Promise<void> {
  const running = instance;
  instance = null;
  await (await running)?.close();
}
