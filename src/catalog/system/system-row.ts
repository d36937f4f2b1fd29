/** A row of a system relation in text form, and what rows are made of. */

import type { DataType } from '../../types/data-type.ts';
import type { Catalog } from '../catalog.ts';

/** One row by column name; a missing column is NULL, or the type's zero where the column is NOT NULL. */
export type SystemRow = Readonly<Record<string, string | number | boolean | null>>;

export interface SessionRow {
  readonly processId: number;
  readonly user: string;
  readonly applicationName: string;
  readonly clientAddress: string;
  readonly state: string;
  readonly query: string;
  readonly startedText: string;
  /** How long the running statement has taken, in microseconds; null: none runs. */
  readonly statementUs: bigint | null;
}

/** Whether a call of this function with arguments of these types (OIDs) would be understood. */
export type IsCallable = (name: string, argTypes: readonly number[]) => boolean;

/** What the rows are made of. */
export interface SystemRowsContext {
  readonly catalog: Catalog;
  readonly database: string;
  readonly searchPath: readonly string[];
  readonly settings: readonly {
    readonly name: string;
    readonly value: string;
    readonly description: string;
  }[];
  readonly sessions: readonly SessionRow[];
  readonly cursors: readonly {
    readonly name: string;
    readonly statement: string;
    readonly isHeld: boolean;
  }[];
  readonly preparedStatements: readonly { readonly name: string; readonly statement: string }[];
  /** Rows of a view's definition query, for pg_views and the like. */
  readonly formatType: (type: DataType) => string;
  readonly isCallable: IsCallable;
}

export type SystemRowSource = (context: SystemRowsContext) => Iterable<SystemRow>;

/** The text of an array whose first subscript is 0, as PostgreSQL's vectors have it. */
export function zeroBased(items: readonly (string | number)[]): string {
  return items.length === 0 ? '{}' : `[0:${items.length - 1}]={${items.join(',')}}`;
}
