/**
 * The registry of kernels: functions over addresses in one memory. Each has a TypeScript body (ts-bodies.ts, the meaning)
 * and an AssemblyScript body (*.as.ts); `setKernelMode('ts')` forces the first, 'auto' takes the .wasm where it is built.
 *
 * `rows` are addresses of u32 row ids; `descriptors` of column descriptors (table-layout.ts); `n` counts rows.
 */

import { readFileSync } from 'node:fs';
import type { Column } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import { STORAGE_CODE } from '../memory/row-layout.ts';
import { DESCRIPTOR_WORDS } from './table-layout.ts';
import { typescriptKernels } from './ts-bodies.ts';
import { kernelBinaryPath } from './wasm-path.ts';

export interface Kernels {
  /** Row hashes over `count` columns (NULL included) -> u32 at `hashes`. */
  hashColumns(descriptors: number, count: number, n: number, hashes: number): void;
  /** Finds or makes a row for each key; positions of new ones -> u32 at outNew; returns how many. Room is the caller's care. */
  upsert(
    table: number,
    descriptors: number,
    count: number,
    n: number,
    hashes: number,
    outRows: number,
    outNew: number,
  ): number;
  /** Finds rows; 0 = absent. */
  probe(
    table: number,
    descriptors: number,
    count: number,
    n: number,
    hashes: number,
    outRows: number,
  ): void;
  /** Takes rows out of the index. */
  erase(table: number, rows: number, n: number): void;
  /** Valid rows: i128 at row + slot += value * weight, i64 at row + slot + 16 += weight. `weights` 0: all +1. */
  sumI64(
    rows: number,
    slot: number,
    values: number,
    validity: number,
    weights: number,
    n: number,
  ): void;
  sumI32(
    rows: number,
    slot: number,
    values: number,
    validity: number,
    weights: number,
    n: number,
  ): void;
  /** Valid rows: i64 at row + slot += weight. */
  addCount(rows: number, slot: number, validity: number, weights: number, n: number): void;
  /**
   * Decodes the JSON text of [start, end) into row `row` of a program's columns (json-layout.ts). It may leave any text and any
   * column to its caller, which has the meaning (formats/json-object.ts).
   */
  decodeJson(program: number, start: number, end: number, row: number): number;
}

export type KernelMode = 'ts' | 'auto';

let mode: KernelMode = 'auto';
let compiled: WebAssembly.Module | null | undefined;
const bound = new WeakMap<Memory, { mode: KernelMode; kernels: Kernels }>();
const workspaces = new WeakMap<Memory, Workspace>();

/** Which bodies kernelsOf gives from now on. */
export function setKernelMode(next: KernelMode): void {
  mode = next;
}

/** Which bodies run in fact. */
export function activeKernelBodies(): 'ts' | 'wasm' {
  return mode === 'auto' && kernelModule() !== null ? 'wasm' : 'ts';
}

/** The kernels over `memory`. Structures ask once when they are opened. */
export function kernelsOf(memory: Memory): Kernels {
  const known = bound.get(memory);
  if (known !== undefined && known.mode === mode) return known.kernels;
  const module = mode === 'auto' ? kernelModule() : null;
  const kernels = module === null ? typescriptKernels(memory) : wasmKernels(module, memory);
  bound.set(memory, { mode, kernels });
  return kernels;
}

function wasmKernels(module: WebAssembly.Module, memory: Memory): Kernels {
  const imports = { env: { memory: memory.wasm, abort: kernelAbort } };
  const exports = new WebAssembly.Instance(module, imports).exports;
  return exports as unknown as Kernels;
}

function kernelAbort(): never {
  throw new WebAssembly.RuntimeError('a kernel aborted');
}

function kernelModule(): WebAssembly.Module | null {
  if (compiled !== undefined) return compiled;
  const path = kernelBinaryPath();
  compiled = path === null ? null : new WebAssembly.Module(readFileSync(path));
  return compiled;
}

/** Working space of the structures over one memory: descriptors, hashes, positions. Contents last until the next call. */
export class Workspace {
  readonly #memory: Memory;
  #address = 0;
  #bytes = 0;
  #rows = 0;
  #columns = 0;
  #generation: number;

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#generation = memory.generation;
  }

  /** Makes room for `rows` rows and `columns` columns. */
  reserve(rows: number, columns: number): void {
    if (this.#generation !== this.#memory.generation) {
      this.#generation = this.#memory.generation;
      this.#rows = this.#columns = this.#address = 0;
    }
    if (rows <= this.#rows && columns <= this.#columns) return;
    if (this.#address !== 0) this.#memory.freeScratch(this.#address, this.#bytes);
    this.#rows = Math.max(1024, rows, this.#rows);
    this.#columns = Math.max(64, columns, this.#columns);
    this.#bytes = this.#columns * DESCRIPTOR_WORDS * 4 + this.#rows * 12 + 64;
    this.#address = this.#memory.allocScratch(this.#bytes);
  }

  get descriptors(): number {
    return this.#address;
  }

  /** u32 for each row. */
  get hashes(): number {
    return this.#address + ((this.#columns * DESCRIPTOR_WORDS * 4 + 15) & ~15);
  }

  /** u32 for each row. */
  get positions(): number {
    return this.hashes + this.#rows * 4;
  }

  /** u32 for each row. */
  get rows(): number {
    return this.positions + this.#rows * 4;
  }

  describe(columns: readonly Column[], offsets: readonly number[] | null): void {
    const u32 = this.#memory.u32;
    let word = this.#address >>> 2;
    for (let c = 0; c < columns.length; c += 1) {
      const column = columns[c]!;
      u32[word] = STORAGE_CODE[column.storage];
      u32[word + 1] = column.values;
      u32[word + 2] = column.validity;
      u32[word + 3] = offsets === null ? 0 : offsets[c]!;
      word += DESCRIPTOR_WORDS;
    }
  }
}

/** The workspace of `memory`. */
export function workspaceOf(memory: Memory): Workspace {
  let workspace = workspaces.get(memory);
  if (workspace === undefined) {
    workspace = new Workspace(memory);
    workspaces.set(memory, workspace);
  }
  return workspace;
}

/** Row hashes over `columns` -> address of n u32, until the next kernel call on this memory. */
export function hashRows(memory: Memory, columns: readonly Column[], n: number): number {
  const workspace = workspaceOf(memory);
  workspace.reserve(n, columns.length);
  workspace.describe(columns, null);
  kernelsOf(memory).hashColumns(workspace.descriptors, columns.length, n, workspace.hashes);
  return workspace.hashes;
}
