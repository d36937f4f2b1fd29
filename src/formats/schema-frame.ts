/** The frame of messages whose schema is in a registry: a zero byte and the schema's id (int32, big-endian). */

import { SqlError } from '../base/sql-error.ts';
import type { ByteWriter } from './byte-writer.ts';

export const FRAME_SIZE = 5;
const MAGIC = 0;

export function writeFrame(schemaId: number, out: ByteWriter): void {
  const at = out.reserve(FRAME_SIZE);
  out.buffer[at] = MAGIC;
  out.buffer.writeInt32BE(schemaId, at + 1);
}

/** Whether the message in bytes[at, end) begins with a frame. */
export function hasFrame(bytes: Buffer, at: number, end: number): boolean {
  return end - at >= FRAME_SIZE && bytes[at] === MAGIC;
}

/** The schema's id in the frame at `at`. */
export function schemaIdAt(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at + 1);
}

export function unknownSchema(id: number): SqlError {
  return new SqlError('22P03', `schema ${id} is not in the schema registry`);
}
