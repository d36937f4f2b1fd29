// AssemblyScript bodies of ts-bodies.ts, same meaning, same layout (table-layout.ts). Compiled by build.ts.

@inline function chain(h: u32, word: u32): u32 { h = (h ^ word) * 0x85ebca6b; return h ^ (h >>> 15); }
@inline function finish(h: u32): u32 { h = (h ^ (h >>> 16)) * 0x7feb352d; h = (h ^ (h >>> 15)) * 0x846ca68b; return h ^ (h >>> 16); }
@inline function valid(v: usize, i: usize): bool { return v == 0 || ((load<u8>(v + (i >> 3)) >> <u8>(i & 7)) & 1) != 0; }
@inline function word(a: usize, i: u32): u32 { return load<u32>(a + (<usize>i << 2)); }

function hashView(h: u32, v: usize): u32 {
  const length = load<u32>(v);
  h = chain(h, length);
  if (length <= 12) {
    if (length > 0) h = chain(h, load<u32>(v, 4));
    if (length > 4) h = chain(h, load<u32>(v, 8));
    if (length > 8) h = chain(h, load<u32>(v, 12));
    return h;
  }
  const start = <usize>load<u32>(v, 12);
  let i: u32 = 0;
  for (; i + 4 <= length; i += 4) h = chain(h, load<u32>(start + <usize>i));
  if (i == length) return h;
  let tail: u32 = 0;
  for (let shift: u32 = 0; i < length; i++, shift += 8) tail |= <u32>load<u8>(start + <usize>i) << shift;
  return chain(h, tail);
}

function hashColumn(d: usize, n: u32, out: usize): void {
  const code = word(d, 0);
  const values = <usize>word(d, 1);
  const validity = <usize>word(d, 2);
  for (let i: usize = 0; i < <usize>n; i++) {
    const at = out + (i << 2);
    const h = load<u32>(at);
    if (!valid(validity, i)) store<u32>(at, chain(h, 0x5bd1e995));
    else if (code == 0) store<u32>(at, chain(h, <u32>load<u8>(values + i)));
    else if (code == 1) store<u32>(at, chain(h, load<u32>(values + (i << 2))));
    else if (code == 4) store<u32>(at, hashView(h, values + (i << 4)));
    else {
      const p = values + (i << 3);
      store<u32>(at, chain(chain(h, load<u32>(p)), load<u32>(p, 4)));
    }
  }
}

export function hashColumns(descriptors: usize, count: u32, n: u32, hashes: usize): void {
  for (let i: usize = 0; i < <usize>n; i++) store<u32>(hashes + (i << 2), 0x9e3779b1);
  for (let c: u32 = 0; c < count; c++) hashColumn(descriptors + (<usize>c << 4), n, hashes);
  for (let i: usize = 0; i < <usize>n; i++) {
    const at = hashes + (i << 2);
    store<u32>(at, finish(load<u32>(at)));
  }
}

function bytesEqual(a: usize, b: usize, n: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= n; i += 8) if (load<u64>(a + <usize>i) != load<u64>(b + <usize>i)) return false;
  for (; i < n; i++) if (load<u8>(a + <usize>i) != load<u8>(b + <usize>i)) return false;
  return true;
}

@inline function viewsEqual(a: usize, b: usize): bool {
  if (load<u64>(a) != load<u64>(b)) return false;
  const length = load<u32>(a);
  if (length <= 12) return load<u64>(a, 8) == load<u64>(b, 8);
  return bytesEqual(<usize>load<u32>(a, 12), <usize>load<u32>(b, 12), length);
}

@inline function keysEqual(descriptors: usize, count: u32, row: usize, i: usize): bool {
  for (let c: u32 = 0; c < count; c++) {
    const d = descriptors + (<usize>c << 4);
    const isValid = valid(<usize>word(d, 2), i);
    const has = ((load<u8>(row + <usize>(c >> 3), 8) >> <u8>(c & 7)) & 1) != 0;
    if (isValid != has) return false;
    if (!isValid) continue;
    const values = <usize>word(d, 1);
    const at = row + <usize>word(d, 3);
    const code = word(d, 0);
    if (code == 0) { if (load<u8>(at) != load<u8>(values + i)) return false; }
    else if (code == 1) { if (load<u32>(at) != load<u32>(values + (i << 2))) return false; }
    else if (code == 4) { if (!viewsEqual(at, values + (i << 4))) return false; }
    else if (load<u64>(at) != load<u64>(values + (i << 3))) return false;
  }
  return true;
}

function writeKeys(descriptors: usize, count: u32, row: usize, i: usize): void {
  for (let c: u32 = 0; c < count; c++) {
    const d = descriptors + (<usize>c << 4);
    if (!valid(<usize>word(d, 2), i)) continue;
    const bits = row + <usize>(c >> 3);
    store<u8>(bits, load<u8>(bits, 8) | (<u8>1 << <u8>(c & 7)), 8);
    const values = <usize>word(d, 1);
    const at = row + <usize>word(d, 3);
    const code = word(d, 0);
    if (code == 0) store<u8>(at, load<u8>(values + i));
    else if (code == 1) store<u32>(at, load<u32>(values + (i << 2)));
    else if (code == 4) { store<u64>(at, load<u64>(values + (i << 4))); store<u64>(at, load<u64>(values + (i << 4), 8), 8); }
    else store<u64>(at, load<u64>(values + (i << 3)));
  }
}

// Header words: 0 index, 1 mask, 2 indexed, 3 free, 4 free count, 5 next, 7 row bytes, 8 row count.
function takeRow(t: usize): u32 {
  store<u32>(t, load<u32>(t, 32) + 1, 32);
  const free = load<u32>(t, 12);
  if (free != 0) {
    store<u32>(t, load<u32>(<usize>free << 3), 12);
    store<u32>(t, load<u32>(t, 16) - 1, 16);
    return free;
  }
  const address = load<u32>(t, 20);
  store<u32>(t, address + load<u32>(t, 28), 20);
  return address >>> 3;
}

export function upsert(t: usize, descriptors: usize, count: u32, n: u32, hashes: usize, outRows: usize, outNew: usize): u32 {
  const index = <usize>load<u32>(t);
  const mask = load<u32>(t, 4);
  let fresh: u32 = 0;
  for (let i: usize = 0; i < <usize>n; i++) {
    const hash = load<u32>(hashes + (i << 2));
    let slot = hash & mask;
    let row: u32 = 0;
    while ((row = load<u32>(index + (<usize>slot << 3), 4)) != 0) {
      if (load<u32>(index + (<usize>slot << 3)) == hash && keysEqual(descriptors, count, <usize>row << 3, i)) break;
      slot = (slot + 1) & mask;
    }
    if (row == 0) {
      row = takeRow(t);
      const at = <usize>row << 3;
      store<u32>(at, hash);
      store<u32>(at, 3, 4);
      writeKeys(descriptors, count, at, i);
      store<u32>(index + (<usize>slot << 3), hash);
      store<u32>(index + (<usize>slot << 3), row, 4);
      store<u32>(outNew + (<usize>fresh << 2), <u32>i);
      fresh++;
    }
    store<u32>(outRows + (i << 2), row);
  }
  store<u32>(t, load<u32>(t, 8) + fresh, 8);
  return fresh;
}

export function probe(t: usize, descriptors: usize, count: u32, n: u32, hashes: usize, outRows: usize): void {
  const index = <usize>load<u32>(t);
  const mask = load<u32>(t, 4);
  for (let i: usize = 0; i < <usize>n; i++) {
    const hash = load<u32>(hashes + (i << 2));
    let slot = hash & mask;
    let row: u32 = 0;
    while ((row = load<u32>(index + (<usize>slot << 3), 4)) != 0) {
      if (load<u32>(index + (<usize>slot << 3)) == hash && keysEqual(descriptors, count, <usize>row << 3, i)) break;
      slot = (slot + 1) & mask;
    }
    store<u32>(outRows + (i << 2), row);
  }
}

export function erase(t: usize, rows: usize, n: u32): void {
  const index = <usize>load<u32>(t);
  const mask = load<u32>(t, 4);
  for (let i: usize = 0; i < <usize>n; i++) {
    const row = load<u32>(rows + (i << 2));
    const at = <usize>row << 3;
    const state = load<u32>(at, 4);
    if ((state & 2) == 0) continue;
    store<u32>(at, state & ~2, 4);
    store<u32>(t, load<u32>(t, 8) - 1, 8);
    let hole = load<u32>(at) & mask;
    while (load<u32>(index + (<usize>hole << 3), 4) != row) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; load<u32>(index + (<usize>slot << 3), 4) != 0; slot = (slot + 1) & mask) {
      const home = load<u32>(index + (<usize>slot << 3)) & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      store<u64>(index + (<usize>hole << 3), load<u64>(index + (<usize>slot << 3)));
      hole = slot;
    }
    store<u64>(index + (<usize>hole << 3), 0);
  }
}

// i128 at a += value * weight, exactly; i64 at a + 16 += weight.
@inline function addProduct(a: usize, value: i64, weight: i64): void {
  const low = <i64>(<u32>value) * weight;
  const high = (value >> 32) * weight;
  add128(a, low, low >> 63);
  add128(a, high << 32, high >> 32);
  store<i64>(a, load<i64>(a, 16) + weight, 16);
}
@inline function add128(a: usize, lo: i64, hi: i64): void {
  const before = load<u64>(a);
  const sum = before + <u64>lo;
  store<u64>(a, sum);
  store<i64>(a, load<i64>(a, 8) + hi + i64(sum < before), 8);
}

export function sumI64(rows: usize, slot: usize, values: usize, validity: usize, weights: usize, n: u32): void {
  for (let i: usize = 0; i < <usize>n; i++) {
    if (!valid(validity, i)) continue;
    const weight = weights == 0 ? 1 : <i64>load<i32>(weights + (i << 2));
    addProduct((<usize>load<u32>(rows + (i << 2)) << 3) + slot, load<i64>(values + (i << 3)), weight);
  }
}

export function sumI32(rows: usize, slot: usize, values: usize, validity: usize, weights: usize, n: u32): void {
  for (let i: usize = 0; i < <usize>n; i++) {
    if (!valid(validity, i)) continue;
    const weight = weights == 0 ? 1 : <i64>load<i32>(weights + (i << 2));
    addProduct((<usize>load<u32>(rows + (i << 2)) << 3) + slot, <i64>load<i32>(values + (i << 2)), weight);
  }
}

export function addCount(rows: usize, slot: usize, validity: usize, weights: usize, n: u32): void {
  for (let i: usize = 0; i < <usize>n; i++) {
    if (!valid(validity, i)) continue;
    const at = (<usize>load<u32>(rows + (i << 2)) << 3) + slot;
    store<i64>(at, load<i64>(at) + (weights == 0 ? 1 : <i64>load<i32>(weights + (i << 2))));
  }
}
