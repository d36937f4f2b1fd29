/** The server's messages that are not rows, errors or authentication, each with its letter. */

import type { ResultField, TransactionStatus, WireFormat } from '../session/port.ts';
import type { DataType, TypeId } from '../types/data-type.ts';
import type { MessageBuffer } from './message-buffer.ts';

export const PARSE_COMPLETE = '1';
export const BIND_COMPLETE = '2';
export const CLOSE_COMPLETE = '3';
export const NO_DATA = 'n';
export const PORTAL_SUSPENDED = 's';
export const EMPTY_QUERY_RESPONSE = 'I';
export const COPY_DONE = 'c';

export function writeCommandComplete(out: MessageBuffer, tag: string): void {
  out.begin('C').text(tag).end();
}

export function writeReadyForQuery(out: MessageBuffer, status: TransactionStatus): void {
  out.begin('Z').u8(status.charCodeAt(0)).end();
}

export function writeParameterStatus(out: MessageBuffer, name: string, value: string): void {
  out.begin('S').text(name).text(value).end();
}

export function writeBackendKeyData(out: MessageBuffer, processId: number, key: number): void {
  out.begin('K').i32(processId).i32(key).end();
}

export function writeParameterDescription(out: MessageBuffer, types: readonly DataType[]): void {
  out.begin('t').i16(types.length);
  for (const type of types) out.i32(type.oid);
  out.end();
}

export function writeRowDescription(
  out: MessageBuffer,
  fields: readonly ResultField[],
  formats: readonly WireFormat[],
): void {
  out.begin('T').i16(fields.length);
  for (const [index, field] of fields.entries()) {
    out.text(field.name).i32(field.tableOid).i16(field.attributeNumber);
    out.i32(field.type.oid).i16(typeSize(field.type)).i32(field.type.typmod);
    out.i16(formats[index] ?? 0);
  }
  out.end();
}

/** CopyInResponse ('G') or CopyOutResponse ('H'): every column has the copy's own format. */
export function writeCopyResponse(
  out: MessageBuffer,
  letter: 'G' | 'H',
  format: WireFormat,
  columnCount: number,
): void {
  out.begin(letter).u8(format).i16(columnCount);
  for (let i = 0; i < columnCount; i++) out.i16(format);
  out.end();
}

/** pg_type.typlen where it is not -1 (of variable length). */
const TYPE_SIZES: Readonly<Partial<Record<TypeId, number>>> = {
  bool: 1,
  char: 1,
  int2: 2,
  int4: 4,
  date: 4,
  float4: 4,
  oid: 4,
  xid: 4,
  regclass: 4,
  regtype: 4,
  regproc: 4,
  regnamespace: 4,
  regrole: 4,
  regoper: 4,
  void: 4,
  int8: 8,
  float8: 8,
  time: 8,
  timestamp: 8,
  timestamptz: 8,
  interval: 16,
  uuid: 16,
  name: 64,
  unknown: -2,
};

/** pg_type.typlen. */
export function typeSize(type: DataType): number {
  return TYPE_SIZES[type.id] ?? -1;
}
