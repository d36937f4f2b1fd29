/** Finds a type of message among those that a schema declares: by its name, or by the path of its declaration. */

import { SqlError } from '../../base/sql-error.ts';
import type { DeclaredMessage, ProtobufSchema, ProtoMessage } from './schema.ts';

/** The message of that name, or the first one. */
export function messageOf({ messages }: ProtobufSchema, wanted: string | null): ProtoMessage {
  const all = allOf(messages);
  const found = wanted === null ? all[0] : all.find((one) => isNamed(one, wanted));
  if (found !== undefined) return found;
  const name = wanted === null ? '' : ` "${wanted}"`;
  throw new SqlError('22023', `the Protobuf schema has no message${name}`);
}

function allOf(messages: readonly DeclaredMessage[]): ProtoMessage[] {
  return messages.flatMap(({ message, nested }) => [message, ...allOf(nested)]);
}

/** By full name, or by its end. */
export function isNamed({ name }: ProtoMessage, wanted: string): boolean {
  return name === wanted || name.endsWith(`.${wanted}`);
}

/** By indexes, from the outside in; null: there is none. */
export function messageAt(
  { messages }: ProtobufSchema,
  path: readonly number[],
): ProtoMessage | null {
  let found: DeclaredMessage | undefined;
  let among = messages;
  for (const index of path) {
    found = among[index];
    if (found === undefined) return null;
    among = found.nested;
  }
  return found?.message ?? null;
}
