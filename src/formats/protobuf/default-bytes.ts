/** A field's default in Protobuf's wire format: it is then read like any value. */

import { ByteWriter, lowHalf } from '../byte-writer.ts';
import { invalidSchema, type ProtoType } from './schema.ts';

/** `literal`: as the schema has it; null: zero, '' or no bytes. 22023 where it is no value of the type. */
export function defaultBytes(type: ProtoType, literal: string | null): Buffer {
  const out = new ByteWriter();
  switch (type.kind) {
    case 'double':
    case 'float':
      writeFloat(type.kind, literal ?? '0', out);
      break;
    case 'string':
    case 'bytes':
      out.sized(Buffer.from(literal ?? '', type.kind === 'string' ? 'utf8' : 'latin1'));
      break;
    case 'message':
      out.u8(0);
      break;
    case 'bool':
      out.u8(literal === 'true' ? 1 : 0);
      break;
    case 'enum': {
      const found = [...type.values].find(([, name]) => name === literal);
      if (found === undefined && literal !== null) throw misfit(literal);
      writeInteger('int32', BigInt(found?.[0] ?? 0), out);
      break;
    }
    default:
      writeInteger(type.kind, integerOf(literal ?? '0'), out);
  }
  return Buffer.from(out.written);
}

function writeFloat(kind: 'float' | 'double', literal: string, out: ByteWriter): void {
  const value = Number(literal.replace('inf', 'Infinity'));
  if (Number.isNaN(value) && !literal.endsWith('nan')) throw misfit(literal);
  if (kind === 'float') out.floatLE(value);
  else out.doubleLE(value);
}

/** Decimal, 0x hexadecimal, 0 octal. */
function integerOf(literal: string): bigint {
  const [, sign, digits] = /^(-?)(0x[\da-f]+|\d+)$/i.exec(literal) ?? [];
  if (digits === undefined) throw misfit(literal);
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits}` : digits);
  return sign === '-' ? -value : value;
}

function writeInteger(kind: string, value: bigint, out: ByteWriter): void {
  if (kind.includes('fixed')) {
    const at = out.reserve(kind.endsWith('32') ? 4 : 8);
    if (kind.endsWith('32')) out.buffer.writeInt32LE(lowHalf(value), at);
    else out.buffer.writeBigUInt64LE(BigInt.asUintN(64, value), at);
    return;
  }
  const coded = kind.startsWith('sint') ? (value << 1n) ^ (value >> 63n) : value;
  out.varintOf(BigInt.asIntN(64, coded));
}

function misfit(literal: string): Error {
  return invalidSchema(`default ${literal} does not fit`);
}
