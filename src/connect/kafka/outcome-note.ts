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
import { syncDirectory } from '../../base/sync-directory.ts';
import type { ProducerIdentity, TransactionOutcome } from './client.ts';
import { KafkaError } from './kafka-error.ts';

export interface NotedOutcome {
  readonly outcome: TransactionOutcome;
  /** Who has perhaps begun to end it that way, in a transaction of its own; null: nobody. */
  readonly ending: ProducerIdentity | null;
}

/** JSON. */
interface NoteFile {
  readonly outcome: TransactionOutcome;
  readonly ending: { readonly producerId: string; readonly producerEpoch: number } | null;
}

export class OutcomeNote {
  readonly #file: string;

  /** `directory`: the spool's. */
  constructor(directory: string) {
    this.#file = path.join(directory, 'outcome');
  }

  read(): NotedOutcome | null {
    return attempt(() => {
      if (!fs.existsSync(this.#file)) return null;
      const { outcome, ending } = JSON.parse(fs.readFileSync(this.#file, 'utf8')) as NoteFile;
      if (ending === null) return { outcome, ending };
      return { outcome, ending: { ...ending, producerId: BigInt(ending.producerId) } };
    });
  }

  /** Durable when it returns. */
  write({ outcome, ending }: NotedOutcome): void {
    const file: NoteFile = {
      outcome,
      ending: ending && { ...ending, producerId: String(ending.producerId) },
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

/** What the disk refuses is tried again, as what brokers refuse. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const what = 'the outcome of the last transaction could not be noted';
    throw new KafkaError(`${what}: ${fileProblem(error)}`, null, 'NOTE');
  }
}
