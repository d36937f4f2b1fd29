/**
 * The records of the input log: the manifest of an epoch (semantics.md rule 1), and reservations of epoch numbers (rule 3).
 *
 * A record is a version byte, three zero bytes, u32 length of a JSON head in UTF-8, the head, then for each blob its u32
 * length and its bytes. Bigints travel as decimal strings.
 */

import { SqlError } from '../base/sql-error.ts';

/** How far one split of a source went in the epoch; positions are the connector's own JSON. */
export interface SplitProgress {
  readonly sourceId: number;
  readonly split: string;
  readonly from: unknown;
  readonly to: unknown;
  /** Rows read, as a check on replay. */
  readonly rowCount: number;
  /** The split's watermark after the epoch, as a decimal string. */
  readonly watermark: string;
  readonly isIdle: boolean;
  readonly isEnded: boolean;
  /** Schemas that records named and a registry did not have, or has by now; absent: none. */
  readonly schemas?: {
    readonly unknown: readonly number[];
    readonly known: readonly number[];
  };
}

export interface DmlRecord {
  readonly relationId: number;
  /** packBatch bytes, weights included. */
  readonly rows: Uint8Array;
}

export interface Manifest {
  readonly kind: 'epoch';
  readonly epoch: number;
  readonly nowUs: bigint;
  readonly splits: readonly SplitProgress[];
  readonly dml: readonly DmlRecord[];
  /** DDL actions and the catalog's change, JSON; null: none. */
  readonly ddl: unknown;
}

/** Epoch numbers up to `through` may be used from now on (once this is durable). */
export interface EpochReservation {
  readonly kind: 'reserve';
  readonly through: number;
}

export type LogEntry = Manifest | EpochReservation;

const VERSION = 1;
const HEADER = 8;

export function encodeLogEntry(entry: LogEntry): Uint8Array {
  if (entry.kind === 'reserve') return encode(entry, []);
  const { epoch, nowUs, splits, dml, ddl } = entry;
  const head = {
    kind: 'epoch',
    epoch,
    nowUs: nowUs.toString(),
    splits,
    dml: dml.map((record) => record.relationId),
    ddl: ddl ?? null,
  };
  return encode(
    head,
    dml.map((record) => record.rows),
  );
}

/** The entry in `bytes`; its blobs are views into them. */
export function decodeLogEntry(bytes: Uint8Array): LogEntry {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER) throw unreadable();
  if (view[0]! > VERSION) {
    throw new SqlError('XX001', `a log record has format ${view[0]}, this build reads ${VERSION}`);
  }
  const headEnd = HEADER + view.readUInt32LE(4);
  if (headEnd > bytes.length) throw unreadable();
  const head = JSON.parse(view.toString('utf8', HEADER, headEnd)) as EncodedHead;
  if (head.kind === 'reserve') return { kind: 'reserve', through: head.through };
  let at = headEnd;
  const dml = head.dml.map((relationId) => {
    if (at + 4 > bytes.length) throw unreadable();
    const end = at + 4 + view.readUInt32LE(at);
    if (end > bytes.length) throw unreadable();
    const rows = bytes.subarray(at + 4, end);
    at = end;
    return { relationId, rows };
  });
  const { epoch, splits, ddl } = head;
  return { kind: 'epoch', epoch, nowUs: BigInt(head.nowUs), splits, dml, ddl };
}

type EncodedHead =
  | EpochReservation
  | {
      readonly kind: 'epoch';
      readonly epoch: number;
      readonly nowUs: string;
      readonly splits: readonly SplitProgress[];
      readonly dml: readonly number[];
      readonly ddl: unknown;
    };

function encode(head: unknown, blobs: readonly Uint8Array[]): Uint8Array {
  const json = Buffer.from(JSON.stringify(head), 'utf8');
  const size = blobs.reduce((sum, blob) => sum + 4 + blob.length, HEADER + json.length);
  const bytes = Buffer.alloc(size);
  bytes[0] = VERSION;
  bytes.writeUInt32LE(json.length, 4);
  bytes.set(json, HEADER);
  let at = HEADER + json.length;
  for (const blob of blobs) {
    bytes.writeUInt32LE(blob.length, at);
    bytes.set(blob, at + 4);
    at += 4 + blob.length;
  }
  return bytes;
}

function unreadable(): SqlError {
  return new SqlError('XX001', 'a log record is cut short');
}
