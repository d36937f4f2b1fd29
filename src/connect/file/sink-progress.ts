/**
 * The progress of a file sink: epoch and length, durable when `note` returns.
 *
 * Layout: a line of owner (the sink's UUID and the data directory's incarnation), then two slots of 64 bytes: sequence, epoch,
 * length as decimals, CRC-32 of them in hexadecimal, padded with blanks, a line end. Notes go to the slots in turn; the valid
 * slot of the greater sequence counts.
 */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { crc32 } from 'node:zlib';
import { SqlError } from '../../base/sql-error.ts';
import { syncDirectory } from '../../base/sync-directory.ts';

export interface Progress {
  readonly epoch: number;
  readonly length: number;
}

const OWNER_BYTES = 128;
const SLOT_BYTES = 64;

export class ProgressFile {
  readonly #path: string;
  readonly #owner: string;
  #fd = -1;
  #sequence = 0;

  constructor(file: string, owner: string) {
    this.#path = file;
    this.#owner = owner;
  }

  /** What was noted last; null: there is no such file. 55000 when it is another sink's. */
  read(): Progress | null {
    if (!fs.existsSync(this.#path)) return null;
    this.#fd = fs.openSync(this.#path, 'r+');
    const text = fs.readFileSync(this.#fd, 'latin1');
    if (text.slice(0, OWNER_BYTES) !== this.#ownerLine()) {
      throw new SqlError('55000', `"${this.#path}" is the progress of another sink or server`);
    }
    let newest: (Progress & { sequence: number }) | null = null;
    for (const at of [OWNER_BYTES, OWNER_BYTES + SLOT_BYTES]) {
      const slot = parseSlot(text.slice(at, at + SLOT_BYTES));
      if (slot !== null && (newest === null || slot.sequence > newest.sequence)) newest = slot;
    }
    if (newest === null) throw new SqlError('XX001', `"${this.#path}" is damaged`);
    this.#sequence = newest.sequence;
    return { epoch: newest.epoch, length: newest.length };
  }

  /** Makes the file, whole or not at all. */
  create(progress: Progress): void {
    const temporary = `${this.#path}.new`;
    const fd = fs.openSync(temporary, 'w+', 0o644);
    try {
      fs.writeSync(fd, this.#ownerLine() + slotText(this.#sequence, progress), 0, 'latin1');
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temporary, this.#path);
    syncDirectory(path.dirname(this.#path));
    this.#fd = fs.openSync(this.#path, 'r+');
  }

  note(progress: Progress): void {
    const sequence = this.#sequence + 1;
    const at = OWNER_BYTES + (sequence % 2) * SLOT_BYTES;
    fs.writeSync(this.#fd, slotText(sequence, progress), at, 'latin1');
    fs.fdatasyncSync(this.#fd);
    this.#sequence = sequence;
  }

  close(): void {
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
  }

  #ownerLine(): string {
    return `${this.#owner}`.padEnd(OWNER_BYTES - 1).slice(0, OWNER_BYTES - 1) + '\n';
  }
}

function slotText(sequence: number, { epoch, length }: Progress): string {
  const numbers = `${sequence} ${epoch} ${length}`;
  const check = crc32(numbers).toString(16).padStart(8, '0');
  return `${`${numbers} ${check}`.padEnd(SLOT_BYTES - 1)}\n`;
}

function parseSlot(text: string): (Progress & { sequence: number }) | null {
  const match = /^(\d+ (\d+) (\d+)) ([0-9a-f]{8}) *\n$/.exec(text);
  if (match === null || crc32(match[1]!) !== Number.parseInt(match[4]!, 16)) return null;
  const sequence = Number(match[1]!.split(' ')[0]);
  return { sequence, epoch: Number(match[2]), length: Number(match[3]) };
}
