/**
 * The sink `print`: each change as a line on the server's standard output, for a look at what a query sends.
 *
 * A line: `epoch 7 +1 {"id":1,"name":"a"}`: epoch, weight, columns as JSON, which has no line ends. At least once: a recovery
 * prints again what it replays from the log. Standard output that nobody reads holds the dataflow up, as it does the log; one
 * that is closed takes nothing any more.
 */

import * as fs from 'node:fs';
import { weightOf } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { ByteWriter } from '../formats/byte-writer.ts';
import { JsonEncoder } from '../formats/json-encoder.ts';
import type { ValueSettings } from '../types/settings.ts';
import { badValue, type CheckRequest, checkOptions, type OptionSchema } from './options.ts';
import type { SinkContext, SinkDelivery, SinkWriter } from './sink.ts';
import type { Json } from './source.ts';

const OWNER = 'connector "print"';
const SCHEMA: OptionSchema = {
  prefix: { kind: 'text', default: '' },
  'line.max.bytes': { kind: 'integer', min: 64, max: 1024 * 1024, default: 1000 },
};
const STDOUT = 1;
/** Lines kept before they are written. */
const BUFFER_BYTES = 256 * 1024;
const RETRY_MS = 5;
const CUT = Buffer.from('…\n');

interface PrintOptions {
  readonly prefix: string;
  readonly lineBytesMax: number;
  readonly settings: ValueSettings;
}

export function checkPrint(request: CheckRequest): Json {
  const options = checkOptions(OWNER, SCHEMA, request.options);
  const prefix = options.get('prefix') as string;
  if (/\p{Cc}/u.test(prefix)) {
    throw badValue(OWNER, 'prefix', prefix, 'without line ends and control characters');
  }
  const { settings } = request;
  const lineBytesMax = options.get('line.max.bytes');
  return { prefix, lineBytesMax, settings } as unknown as Json;
}

export function openPrintSink(checked: Json, context: SinkContext): SinkWriter {
  return new PrintSink(checked as unknown as PrintOptions, context, STDOUT);
}

export class PrintSink implements SinkWriter {
  readonly #options: PrintOptions;
  readonly #encoder: JsonEncoder;
  readonly #fd: number;
  readonly #lines = new ByteWriter();
  #epoch = 0;
  #failure: string | null = null;

  /** Lines go to the open file `fd`. */
  constructor(options: PrintOptions, { columns }: Pick<SinkContext, 'columns'>, fd: number) {
    this.#options = options;
    const fields = columns.map((column, index) => ({ ...column, index }));
    this.#encoder = new JsonEncoder(fields, options.settings);
    this.#fd = fd;
  }

  begin(): number {
    return 0;
  }

  write(epoch: number, _timeUs: bigint, batch: DeltaBatch): void {
    const { prefix, lineBytesMax } = this.#options;
    const lines = this.#lines;
    for (let row = 0; row < batch.rowCount; row += 1) {
      const start = lines.length;
      const weight = weightOf(batch, row);
      lines.text(`${prefix}epoch ${epoch} ${weight > 0 ? '+' : ''}${weight} `);
      this.#encoder.append(batch, row, lines);
      lines.ascii('\n');
      if (lines.length - start > lineBytesMax) this.#cut(start + lineBytesMax);
      if (lines.length >= BUFFER_BYTES) this.#flush();
    }
  }

  commit(epoch: number): void {
    this.#flush();
    this.#epoch = epoch;
  }

  delivery(): SinkDelivery {
    return {
      state: this.#failure === null ? 'running' : 'failed',
      error: this.#failure,
      deliveredEpoch: this.#epoch,
      spooledEpoch: this.#epoch,
      spooledBytes: 0,
    };
  }

  close(): void {}

  /** Ends the last line so that all ends at `end` at most, and at a whole character. */
  #cut(end: number): void {
    const lines = this.#lines;
    let at = end - CUT.length;
    while ((lines.buffer[at]! & 0xc0) === 0x80) at -= 1;
    lines.truncate(at);
    lines.bytes(CUT);
  }

  #flush(): void {
    const bytes = this.#lines.written;
    try {
      for (let at = 0; at < bytes.length && this.#failure === null; ) at += this.#some(bytes, at);
    } catch (error) {
      this.#failure = `standard output takes nothing: ${(error as Error).message}`;
    }
    this.#lines.clear();
  }

  /** Writes bytes from `at` on; how many. */
  #some(bytes: Buffer, at: number): number {
    try {
      return fs.writeSync(this.#fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      // A full pipe that does not block: its reader is slow.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      return 0;
    }
  }
}
