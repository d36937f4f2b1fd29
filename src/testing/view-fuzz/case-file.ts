/** A case as an .slt file: the view's query is checked against the view after every step. */

import type { Failure } from './run-case.ts';
import type { FuzzCase, Step } from './steps.ts';
import { forMillrace } from './two-texts.ts';

export function caseFile(fuzzCase: FuzzCase, failure: Failure): string {
  const records = fuzzCase.steps.flatMap(stepRecords);
  const said = failure.detail.split('\n').map((line) => `#   ${line}`);
  const head = [`# found by the view fuzzer, seed ${fuzzCase.seed}: ${failure.kind}`, ...said];
  return `${[head.join('\n'), ...records].join('\n\n')}\n`;
}

function stepRecords(step: Step): string[] {
  switch (step.kind) {
    case 'table':
      return [`statement ok\n${step.text}`];
    case 'view':
      return [`view ${step.name}\n${forMillrace(step.text)}`];
    case 'change':
      return [...changeTexts(step).map((text) => `statement ok\n${text}`), 'check views'];
    case 'kill':
      return ['kill9', 'check views'];
  }
}

function changeTexts(step: {
  readonly statements: readonly string[];
  readonly end: string;
}): string[] {
  const texts = step.statements.map(forMillrace);
  return texts.length === 1 && step.end === 'COMMIT' ? texts : ['BEGIN', ...texts, step.end];
}
