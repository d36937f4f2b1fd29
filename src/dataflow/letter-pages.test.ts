/** Pages of dead letters, and the log that says how many are kept, against a map of letters: appended, trimmed, replayed, renewed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../base/random.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { EpochControl } from '../state/epoch-control.ts';
import { EngineRelation, type RelationDefinition } from './engine-relation.ts';
import { LetterLog } from './letter-log.ts';
import { LETTER_PAGES, PAGE_KEY, type StoredLetter } from './letter-page.ts';
import { LetterPages } from './letter-pages.ts';
import { DEAD_LETTERS_ID } from './port.ts';
import { type DeadLetter, letterBytes } from './problems.ts';

const LIMITS = { bytesMax: 20_000, ageUsMax: 10n ** 15n };

class PagesBench {
  readonly #scratch: Scratch;
  readonly #control = new EpochControl();
  readonly #relation: EngineRelation;
  #epoch = 0;
  readonly log = new LetterLog(LIMITS, null);
  readonly pages: LetterPages;
  /** Pages that were written. */
  writes = 0;
  readonly #reasons = new Map<number, string>();

  constructor() {
    const memory = Memory.create();
    const scratch = new Scratch(memory);
    this.#scratch = scratch;
    const storages = LETTER_PAGES.map(({ type }) => type.storage);
    const key = [PAGE_KEY];
    const definition: RelationDefinition = {
      ...{ id: DEAD_LETTERS_ID, name: 'dead_letters', columns: LETTER_PAGES },
      kind: 'system',
      schema: { storages, key, isAppendOnly: false, indexes: [], segmentRowsMax: 8 },
      ...{ watermark: null, indexIds: [] },
    };
    const relation = new EngineRelation(definition, memory, this.#control, 0);
    this.#relation = relation;
    this.pages = new LetterPages({
      ...{ memory, scratch },
      relation: () => relation,
      deliver: (batch) => {
        this.writes += batch.rowCount;
        relation.apply(batch, this.#epoch);
      },
      retract: (keys) => relation.retractKeys(keys, this.#epoch),
    });
  }

  begin(): void {
    this.#epoch += 1;
  }

  end(): void {
    this.#relation.publish(this.#epoch);
    this.#control.publish(this.#epoch);
    const { stored } = this.#relation;
    if (stored?.canCompact) stored.compact();
    assert.equal(this.#scratch.mark(), 0, 'nothing of the scratch memory is held');
  }

  append(letters: readonly DeadLetter[]): void {
    const atUs = BigInt(this.#epoch);
    const firstId = this.log.add(letters, letterBytes, atUs);
    this.pages.append(letters, firstId, atUs);
    letters.forEach(({ reason }, i) => {
      this.#reasons.set(firstId + i, reason);
    });
  }

  trim(beforeId: number): void {
    const count = this.pages.trim(beforeId);
    this.log.trim(beforeId, count);
    const gone = [...this.#reasons.keys()].filter((id) => id < beforeId);
    assert.equal(count, gone.length);
    for (const id of gone) this.#reasons.delete(id);
  }

  change(gone: readonly StoredLetter[], renewed: readonly StoredLetter[]): void {
    this.pages.change(gone, renewed);
    this.log.remove(gone.map((one) => ({ id: one.id, bytes: letterBytes(one) })));
    for (const { id } of gone) assert.ok(this.#reasons.delete(id));
    for (const { id, reason } of renewed) this.#reasons.set(id, reason);
  }

  check(): void {
    const found = this.pages.find(() => true);
    const shown = found.map(({ id, reason }) => [id, reason] as const);
    assert.deepEqual(
      shown,
      [...this.#reasons].sort(([a], [b]) => a - b),
    );
    for (const { raw, place } of found) {
      assert.equal(Buffer.from(raw!.value!).toString(), `value ${place!.offset}`);
    }
    assert.equal(this.log.status().kept, this.#reasons.size);
  }
}

function letterAt(offset: number): DeadLetter {
  const value = Buffer.from(`value ${offset}`);
  return {
    ...{ kind: 'rejected', sourceId: 7, viewId: null, split: `s-${offset % 3}` },
    ...{ position: null, row: null, reason: `reason ${offset % 5}`, op: null, sqlstate: '22P02' },
    place: { offset, topic: 's', partition: offset % 3, byteOffset: null },
    raw: { key: null, value, isCut: false, timestampMs: 1_700_000_000_000 + offset, context: null },
  };
}

for (const seed of [1, 2, 3, 4]) {
  test(`letters are those that came and did not go: seed ${seed}`, () => {
    const random = new Random(seed);
    const bench = new PagesBench();
    let offset = 0;
    for (let epoch = 0; epoch < 40; epoch += 1) {
      bench.begin();
      for (let step = random.below(4); step > 0; step -= 1) {
        const some = bench.pages.find(() => random.below(3) === 0);
        const { kept, trimmed, replayed } = bench.log.status();
        const beforeId = trimmed + replayed + random.below(kept + 1);
        if (random.below(4) === 0) bench.trim(beforeId);
        else {
          const gone = some.filter(() => random.below(2) === 0);
          const others = some.filter((letter) => !gone.includes(letter));
          const reason = `of two\nlines ${step}`;
          bench.change(
            gone,
            others.map((letter) => ({ ...letter, reason })),
          );
        }
        bench.check();
      }
      const count = random.below(random.below(3) === 0 ? 500 : 30);
      bench.append(Array.from({ length: count }, () => letterAt(offset++)));
      bench.end();
      bench.check();
    }
  });
}

test('a replay of letters of many splits writes each page once', () => {
  const bench = new PagesBench();
  bench.begin();
  bench.append(Array.from({ length: 2000 }, (_, i) => letterAt(i)));
  bench.end();
  const pages = bench.writes;
  assert.ok(pages > 5);
  bench.begin();
  const all = bench.pages.find(() => true);
  const gone = all.filter(({ id }) => id % 3 === 0);
  const others = all.filter(({ id }) => id % 3 === 1);
  bench.change(
    gone,
    others.map((letter) => ({ ...letter, reason: 'another' })),
  );
  assert.equal(bench.writes, 2 * pages);
  bench.end();
  bench.check();
});
