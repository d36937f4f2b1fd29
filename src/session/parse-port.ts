/** What passes between the main thread and the thread that parses long texts. */

import type { PortError } from '../base/threads.ts';
import type { ParsedStatement } from '../sql/statements.ts';

export interface ParseRequest {
  readonly request: number;
  readonly text: string;
}

export type ParseReply =
  | { readonly request: number; readonly statements: readonly ParsedStatement[] }
  | { readonly request: number; readonly error: PortError };
