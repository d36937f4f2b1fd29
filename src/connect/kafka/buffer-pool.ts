/**
 * Buffers for records on their way between the thread that fetches and the one that decodes: given back (transferred, not
 * copied) they are used again. What is dropped instead counts as external memory until a collection, and a gigabyte of it an
 * instant would keep the collectors of both threads busy with marking.
 */

/** Smaller ones are not worth the way back. */
const POOLED_BYTES_MIN = 64 * 1024;
const POOL_BYTES_MAX = 64 * 1024 * 1024;

const free = new Map<number, ArrayBuffer[]>();
let freeBytes = 0;

/** `size` bytes, whatever they hold. */
export function takeBytes(size: number): Uint8Array<ArrayBuffer> {
  if (size < POOLED_BYTES_MIN) return new Uint8Array(size);
  const capacity = capacityOf(size);
  const buffer = free.get(capacity)?.pop();
  if (buffer === undefined) return new Uint8Array(new ArrayBuffer(capacity), 0, size);
  freeBytes -= capacity;
  return new Uint8Array(buffer, 0, size);
}

/** A buffer that `takeBytes` gave, perhaps in another thread. */
export function giveBuffer(buffer: ArrayBuffer): void {
  const { byteLength } = buffer;
  if (!isPooled(buffer) || freeBytes + byteLength > POOL_BYTES_MAX) return;
  freeBytes += byteLength;
  const same = free.get(byteLength);
  if (same === undefined) free.set(byteLength, [buffer]);
  else same.push(buffer);
}

/** Whether giving it back is of use. */
export function isPooled({ byteLength }: ArrayBuffer): boolean {
  return byteLength >= POOLED_BYTES_MIN && capacityOf(byteLength) === byteLength;
}

/** The next power of two: few sizes, so that one fits the next arrival. */
function capacityOf(size: number): number {
  return 2 ** Math.ceil(Math.log2(size));
}
