/** Text -> statements. */
import type { ParsedStatement } from './statements.ts';

/** Loads the parser (WebAssembly); parsing is synchronous afterwards. */
export async function loadParser(): Promise<void> {
  throw new Error('being written');
}

/** The statements of `text`; empty ones are left out. Throws SqlError with a position. */
export function parseStatements(text: string): readonly ParsedStatement[] {
  throw new Error(`being written ${text.length}`);
}
