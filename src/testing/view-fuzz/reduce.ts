/** Cuts a failing case down: drops steps and statements as long as it fails in the same way. Runs the case O(n^2) times at worst. */

import type { CaseOutcome, Failure } from './run-case.ts';
import type { FuzzCase, Step } from './steps.ts';

export async function reduceCase(
  fuzzCase: FuzzCase,
  failure: Failure,
  run: (candidate: FuzzCase) => Promise<CaseOutcome>,
): Promise<FuzzCase> {
  let best: FuzzCase = { ...fuzzCase, steps: fuzzCase.steps.slice(0, failure.step + 1) };
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const steps of smaller(best.steps)) {
      const candidate = { ...best, steps };
      const outcome = await run(candidate).catch(() => null);
      if (outcome?.failure?.kind !== failure.kind || outcome.failure.view !== failure.view)
        continue;
      best = { ...candidate, steps: steps.slice(0, outcome.failure.step + 1) };
      isSmaller = true;
      break;
    }
  }
  return best;
}

function* smaller(steps: readonly Step[]): Generator<readonly Step[]> {
  for (let i = steps.length - 1; i >= 0; i--) yield steps.filter((_, at) => at !== i);
  for (const [i, step] of steps.entries()) {
    if (step.kind !== 'change') continue;
    if (step.statements.length > 1) {
      for (let drop = step.statements.length - 1; drop >= 0; drop--) {
        const statements = step.statements.filter((_, at) => at !== drop);
        yield steps.with(i, { ...step, statements });
      }
    }
    for (const [at, statement] of step.statements.entries()) {
      for (const shorter of withFewerRows(statement)) {
        yield steps.with(i, { ...step, statements: step.statements.with(at, shorter) });
      }
    }
  }
}

/** INSERT ... VALUES with one row less. */
function* withFewerRows(statement: string): Generator<string> {
  const rows = [...statement.matchAll(/(?<=VALUES |, )\([^()]*\)(?=, \(|$| ON)/g)].map(
    ([row]) => row,
  );
  if (!statement.startsWith('INSERT') || rows.length < 2) return;
  const all = rows.join(', ');
  for (let drop = 0; drop < rows.length; drop++) {
    yield statement.replace(all, rows.filter((_, at) => at !== drop).join(', '));
  }
}
