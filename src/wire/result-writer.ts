/** A session's answers as messages: the wire's half of the port in session/port.ts. */

import { SqlError } from '../base/sql-error.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { encodeDataRows } from '../formats/data-row.ts';
import type {
  Notice,
  OutputSettings,
  ResultField,
  ResultWriter,
  WireFormat,
} from '../session/port.ts';
import type { DataType } from '../types/data-type.ts';
import {
  EMPTY_QUERY_RESPONSE,
  writeCommandComplete,
  writeCopyResponse,
  writeParameterStatus,
  writeRowDescription,
} from './backend-messages.ts';
import { writeNotice } from './error-response.ts';
import {
  COPY_DATA,
  COPY_DONE,
  COPY_FAIL,
  decodeText,
  FLUSH,
  messageLimit,
  SYNC,
} from './frontend-messages.ts';
import { PROTOCOL_VIOLATION } from './message-body.ts';
import type { Transport } from './transport.ts';

export class WireResultWriter implements ResultWriter {
  readonly #transport: Transport;
  #isCopyingIn = false;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Ends a wait for the client (to read rows, to send COPY data) with an error. */
  interrupt(error: SqlError): void {
    this.#transport.output.interrupt(error);
    if (this.#isCopyingIn) this.#transport.reader.interrupt(error);
  }

  fields(fields: readonly ResultField[], formats: readonly WireFormat[]): void {
    writeRowDescription(this.#transport.output.messages, fields, formats);
  }

  async rows(
    batch: DeltaBatch,
    types: readonly DataType[],
    formats: readonly WireFormat[],
    settings: OutputSettings,
  ): Promise<void> {
    const { output } = this.#transport;
    let next = 0;
    while (next < batch.rowCount) {
      const { messages } = output;
      const before = messages.length;
      try {
        next = encodeDataRows(batch, types, formats, settings, messages, next);
      } catch (error) {
        messages.length = before;
        throw error;
      }
      await output.ready();
    }
  }

  complete(tag: string): void {
    writeCommandComplete(this.#transport.output.messages, tag);
  }

  emptyQuery(): void {
    this.#transport.output.messages.empty(EMPTY_QUERY_RESPONSE);
  }

  notice(notice: Notice): void {
    writeNotice(this.#transport.output.messages, notice);
    this.#transport.output.scheduleFlush();
  }

  parameterStatus(name: string, value: string): void {
    writeParameterStatus(this.#transport.output.messages, name, value);
  }

  copyOutStart(format: WireFormat, columnCount: number): void {
    writeCopyResponse(this.#transport.output.messages, 'H', format, columnCount);
  }

  copyOutData(bytes: Uint8Array): Promise<void> {
    const { output } = this.#transport;
    output.messages.begin('d').bytes(bytes).end();
    return output.ready();
  }

  copyOutDone(): void {
    this.#transport.output.messages.empty('c');
  }

  async *copyIn(format: WireFormat, columnCount: number): AsyncGenerator<Uint8Array, void, void> {
    const { output, reader } = this.#transport;
    writeCopyResponse(output.messages, 'G', format, columnCount);
    output.flush();
    this.#isCopyingIn = true;
    try {
      for (;;) {
        const frame = reader.next(messageLimit) ?? (await reader.read(messageLimit));
        if (frame === null) throw new SqlError('08006', 'unexpected EOF on client connection');
        if (frame.type === COPY_DATA) yield frame.body;
        else if (frame.type === COPY_DONE) return;
        else refuseCopyMessage(frame.type, frame.body);
      }
    } finally {
      this.#isCopyingIn = false;
    }
  }
}

/**
 * Flush and Sync mean nothing while data is copied in; CopyFail and everything else end the copy.
 */
function refuseCopyMessage(type: number, body: Buffer): void {
  if (type === FLUSH || type === SYNC) return;
  if (type === COPY_FAIL) {
    throw new SqlError('57014', `COPY from stdin failed: ${decodeText(body)}`);
  }
  const hex = type.toString(16).toUpperCase().padStart(2, '0');
  throw new SqlError(PROTOCOL_VIOLATION, `unexpected message type 0x${hex} during COPY from stdin`);
}
