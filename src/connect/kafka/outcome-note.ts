/**
 * OutcomeNote: how a sink's last transaction ended, in a file beside its spool. A producer that starts makes its coordinator
 * forget that, and what hangs of the transaction can only be ended by another one, which would itself be aborted by the next
 * start. So the outcome is written down before either, and durable until nothing hangs any more; what ends a transaction after
 * that finds no note.
 */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { writeDurably } from '../../base/durable-file.ts';
import { fileProblem } from '../../base/file-problem.ts';
import { SqlError } from '../../base/sql-error.ts';
import { syncDirectory } from '../../base/sync-directory.ts';
import type { ProducerIdentity, TransactionOutcome } from './client.ts';
import { KafkaError } from './kafka-error.ts';

export interface NotedOutcome {
  readonly outcome: TransactionOutcome;
  /** Who has perhaps begun to end it that way, in a transaction of its own; null: nobody. */
  readonly ending: ProducerIdentity | null;
}

const NOTE =
  /^\{"outcome":"(commit|abort)","ending":(?:null|\{"producerId":"(\d{1,19})","producerEpoch":(\d{1,5})\})\}$/;

export class OutcomeNote {
  readonly #file: string;

  /** `directory`: the spool's. */
  constructor(directory: string) {
    this.#file = path.join(directory, 'outcome');
  }

  /** XX001 where it is damaged. */
  read(): NotedOutcome | null {
    const text = attempt(() =>
      fs.existsSync(this.#file) ? fs.readFileSync(this.#file, 'utf8') : null,
    );
    if (text === null) return null;
    const match = NOTE.exec(text);
    if (match === null) throw damaged(this.#file);
    const outcome = match[1] as TransactionOutcome;
    const [, , producerId, producerEpoch] = match;
    if (producerId === undefined) return { outcome, ending: null };
    const ending = { producerId: BigInt(producerId), producerEpoch: Number(producerEpoch) };
    return { outcome, ending };
  }

  /** Durable when it returns. */
  write({ outcome, ending }: NotedOutcome): void {
    const file = {
      outcome,
      ending: ending && {
        producerId: String(ending.producerId),
        producerEpoch: ending.producerEpoch,
      },
    };
    attempt(() => writeDurably(this.#file, JSON.stringify(file)));
  }

  /** It is gone for good when this returns. */
  clear(): void {
    attempt(() => {
      if (!fs.existsSync(this.#file)) return;
      fs.rmSync(this.#file);
      syncDirectory(path.dirname(this.#file));
    });
  }
}

function damaged(file: string): SqlError {
  return new SqlError('XX001', `"${file}" is damaged`, {
    hint: 'How the last transaction of the sink ended is not known, rows may be missing: empty the topic, DROP the sink and create it again.',
  });
}

/** What the disk refuses is tried again, as what brokers refuse. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const what = 'the outcome of the last transaction could not be noted';
    throw new KafkaError(`${what}: ${fileProblem(error)}`, null, 'NOTE');
  }
}
