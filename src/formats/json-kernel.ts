/**
 * The kernel decodeJson over column builders: texts are copied into the builders' memory, many at once, and decoded there; long
 * strings of columns are views of that copy, which lives as long as the columns.
 *
 * Correctness: the kernel takes a text only where the result is what JsonObjectDecoder gives; anything else is left to it.
 */

import type { ColumnBuilder } from '../batch/column-builder.ts';
import {
  COLUMN_NULL,
  COLUMN_STORED,
  COLUMN_WORDS,
  ELEMENT_WORDS,
  KIND_BOOL,
  KIND_FLOAT8,
  KIND_INT2,
  KIND_INT4,
  KIND_INT8,
  KIND_LEFT,
  KIND_TEXT,
  KIND_TIMESTAMP,
  KIND_TIMESTAMPTZ,
  MEMBER_WORDS,
  NODE_WORDS,
  PATTERN_WORDS,
  PROGRAM_WORDS,
  PROGRAM_WRONG_AT,
  SPAN_WORDS,
  TEXT_LEFT,
  TEXT_PADDING,
  TEXT_STORED,
  TEXT_WRONG,
} from '../kernels/json-layout.ts';
import { type Kernels, kernelsOf } from '../kernels/kernels.ts';
import { copyBytes } from '../memory/copy-bytes.ts';
import type { Memory } from '../memory/memory.ts';
import type { ByteAllocator } from '../memory/views.ts';
import type { DataType } from '../types/data-type.ts';
import type { DecodedColumn } from './csv.ts';
import type { JsonNode } from './json-paths.ts';

/** Bytes that are copied at once. */
const WINDOW_BYTES = 64 * 1024;

/** The kernel reads that many bytes behind a name. */
const NAME_PADDING = 8;

const KINDS: ReadonlyMap<string, number> = new Map([
  ['text', KIND_TEXT],
  ['varchar', KIND_TEXT],
  ['int8', KIND_INT8],
  ['int4', KIND_INT4],
  ['int2', KIND_INT2],
  ['float8', KIND_FLOAT8],
  ['bool', KIND_BOOL],
  ['timestamp', KIND_TIMESTAMP],
  ['timestamptz', KIND_TIMESTAMPTZ],
]);

/** Appends the column whose JSON text is bytes[start, end), start -1: it is missing; false: it is wrong, the row ends here. */
export type AppendLeft = (column: number, start: number, end: number) => boolean;

/**
 * Whether the kernel can match names by their bytes: what JSON does not escape, and in the root, where they may also match without
 * case, ASCII that is different without case.
 */
export function canMatchNames(root: JsonNode): boolean {
  const names = [...root.members.keys()];
  const isAscii = names.every((name) => /^[\x20-\x7e]*$/.test(name));
  const areDifferent = new Set(names.map((name) => name.toLowerCase())).size === names.length;
  return isAscii && areDifferent && areUnescaped(root);
}

function areUnescaped({ members, elements }: JsonNode): boolean {
  const isPlain = (name: string) => !/[\u0000-\u001f"\\]/.test(name);
  return (
    [...members.keys()].every(isPlain) &&
    [...members.values(), ...elements.values()].every(areUnescaped)
  );
}

export class JsonKernel {
  readonly #kinds: readonly number[];
  readonly #tree: JsonNode;
  #builders: readonly ColumnBuilder[] = [];
  #memory: Memory | null = null;
  #kernels: Kernels | null = null;
  #allocator: ByteAllocator | null = null;
  #program = 0;
  #spans = 0;
  #rowsMax = 0;
  /** What was copied: #bytes[#from, #to) lies at #window. */
  #bytes: Buffer | null = null;
  #from = 0;
  #to = 0;
  #window = 0;
  #wrong = 0;
  #wrongAt = 0;

  /** `isLeft`: columns that the kernel leaves to the caller, whatever their type. */
  constructor(
    columns: readonly DecodedColumn[],
    tree: JsonNode,
    isLeft: (column: number) => boolean,
  ) {
    this.#kinds = columns.map(({ type }, i) => (isLeft(i) ? KIND_LEFT : kindOf(type)));
    this.#tree = tree;
  }

  /** Of the text that was not appended: what is wrong with it (WRONG_*, json-layout.ts); TEXT_LEFT: that is left to the caller. */
  get wrong(): number {
    return this.#wrong;
  }

  /** Offset of what is wrong. */
  get wrongAt(): number {
    return this.#wrongAt;
  }

  /** The bytes may have changed in place: copies of them are no good any more. */
  forget(): void {
    this.#bytes = null;
  }

  /**
   * Appends a row from bytes[start, end); false: nothing was appended, see `wrong`, or a part of the row, up to the column
   * that `appendLeft` refused. `behind`: the bytes before it do not change until `forget`.
   */
  append(
    bytes: Buffer,
    start: number,
    end: number,
    behind: number,
    builders: readonly ColumnBuilder[],
    appendLeft: AppendLeft,
  ): boolean {
    const row = builders[0]!.rowCount;
    this.#wrong = TEXT_LEFT;
    if (builders !== this.#builders || row >= this.#rowsMax) this.#begin(builders);
    if (row >= this.#rowsMax) return false;
    if (bytes !== this.#bytes || start < this.#from || end > this.#to) {
      this.#copy(bytes, start, Math.max(end, Math.min(behind, start + WINDOW_BYTES)));
    }
    const shift = this.#window - this.#from;
    const answer = this.#kernels!.decodeJson(this.#program, start + shift, end + shift, row);
    if (answer === TEXT_LEFT) return false;
    if (answer >= TEXT_WRONG) {
      this.#wrong = answer;
      this.#wrongAt = this.#memory!.u32[(this.#program >>> 2) + PROGRAM_WRONG_AT]! - shift;
      return false;
    }
    if (answer !== TEXT_STORED) return this.#take(builders, shift, appendLeft);
    for (const builder of builders) builder.took(true);
    return true;
  }

  #take(builders: readonly ColumnBuilder[], shift: number, appendLeft: AppendLeft): boolean {
    let span = this.#spans >>> 2;
    for (let i = 0; i < builders.length; i += 1, span += SPAN_WORDS) {
      const { u32 } = this.#memory!;
      const status = u32[span + 3]!;
      if (status === COLUMN_STORED) builders[i]!.took(true);
      else if (status === COLUMN_NULL) builders[i]!.took(false);
      else {
        const isMissing = u32[span] === 0;
        const start = isMissing ? -1 : u32[span]! - shift;
        const end = isMissing ? -1 : u32[span + 1]! - shift;
        if (!appendLeft(i, start, end)) return false;
      }
    }
    return true;
  }

  /** New builders: their addresses, and the tree, into their memory. */
  #begin(builders: readonly ColumnBuilder[]): void {
    const { memory, allocator } = builders[0]!;
    this.#builders = builders;
    this.#memory = memory;
    this.#allocator = allocator;
    this.#kernels = kernelsOf(memory);
    this.#bytes = null;
    this.#rowsMax = Math.min(...builders.map(({ capacity }) => capacity));
    const spanWords = builders.length * SPAN_WORDS;
    this.#spans = allocator.alloc((spanWords + PATTERN_WORDS) * 4);
    // Nothing is the pattern yet.
    memory.u32.fill(0, this.#spans >>> 2, (this.#spans >>> 2) + spanWords + PATTERN_WORDS);
    const root = this.#writeNode(memory, allocator, this.#tree, true);
    const columns = builders.flatMap((builder, i) => {
      const { values, validity } = builder.addresses;
      return [this.#kinds[i]!, values, validity, 0];
    });
    this.#program = allocator.alloc((PROGRAM_WORDS + builders.length * COLUMN_WORDS) * 4);
    memory.u32.set([builders.length, root, this.#spans, 0, ...columns], this.#program >>> 2);
  }

  #writeNode(memory: Memory, allocator: ByteAllocator, node: JsonNode, isRoot: boolean): number {
    const list = (words: readonly number[]): number => {
      const address = allocator.alloc(words.length * 4);
      memory.u32.set(words, address >>> 2);
      return address;
    };
    const members = [...node.members].flatMap(([name, child]) => {
      const bytes = Buffer.from(name);
      const address = allocator.alloc(bytes.length + NAME_PADDING);
      memory.u8.set(bytes, address);
      return [address, bytes.length, this.#writeNode(memory, allocator, child, false)];
    });
    const elements = [...node.elements].flatMap(([index, child]) => [
      index,
      this.#writeNode(memory, allocator, child, false),
    ]);
    const words = [
      ...[node.columns.length, list(node.columns)],
      ...[members.length / MEMBER_WORDS, list(members), 0, isRoot ? 1 : 0],
      ...[elements.length / ELEMENT_WORDS, list(elements)],
      ...[node.below.length, list(node.below)],
    ];
    const address = allocator.alloc(NODE_WORDS * 4);
    memory.u32.set(words, address >>> 2);
    return address;
  }

  #copy(bytes: Buffer, from: number, to: number): void {
    this.#window = this.#allocator!.alloc(to - from + TEXT_PADDING);
    copyBytes(bytes, from, to, this.#memory!.u8, this.#window);
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
  }
}

function kindOf({ id, typmod }: DataType): number {
  return typmod === -1 ? (KINDS.get(id) ?? KIND_LEFT) : KIND_LEFT;
}
