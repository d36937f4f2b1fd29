/** What the demo prints, compared with what is there. */

import assert from 'node:assert/strict';
import type { SqlClient } from '../client/sql-client.ts';
import type { TourStop } from '../demo/tour.ts';

const isCompleting = process.env.DEMO_COMPLETE === '1';

const withoutTrailingBlanks = (table: string): string => table.replace(/ +$/gm, '').trimEnd();

/** Runs every statement, as it is printed; DEMO_COMPLETE=1 prints the results instead of comparing them. */
export async function compareShown(client: SqlClient, stops: readonly TourStop[]): Promise<void> {
  for (const { text, shown } of stops) {
    const answer = withoutTrailingBlanks(await client.answer(text.replace(/;$/, '')));
    if (isCompleting) process.stdout.write(`${text}\n${answer}\n\n`);
    else if (shown === null) assert.match(answer, /rows?\)$|^CREATE/);
    else assert.equal(answer, withoutTrailingBlanks(shown), text);
  }
}
