import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { KafkaError } from './kafka-error.ts';
import { OutcomeNote } from './outcome-note.ts';

function noteIn(context: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-note-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return { directory, note: new OutcomeNote(directory) };
}

test('what is written is there until it is cleared', (context) => {
  const { directory, note } = noteIn(context);
  assert.equal(note.read(), null);
  note.clear();
  const ending = { producerId: 2n ** 62n, producerEpoch: 3 };
  for (const noted of [
    { outcome: 'abort', ending: null },
    { outcome: 'commit', ending },
  ] as const) {
    note.write(noted);
    assert.deepEqual(new OutcomeNote(directory).read(), noted);
  }
  note.clear();
  assert.equal(note.read(), null);
  assert.deepEqual(readdirSync(directory), []);
});

test('a note that is damaged is no outcome, and waiting does not mend it', (context) => {
  const { directory, note } = noteIn(context);
  for (const text of [
    '',
    'null',
    '{"outcome":"commit"',
    '{"outcome":"ended","ending":null}',
    '{"outcome":"commit"}',
    '{"outcome":"commit","ending":{"producerId":"x","producerEpoch":1}}',
    '{"outcome":"commit","ending":{"producerId":"1"}}',
  ]) {
    writeFileSync(join(directory, 'outcome'), text);
    assert.throws(() => note.read(), { sqlstate: 'XX001', message: /outcome" is damaged$/ }, text);
  }
});

test('what the disk refuses may be mended', (context) => {
  const { directory, note } = noteIn(context);
  rmSync(directory, { recursive: true });
  assert.throws(() => note.write({ outcome: 'commit', ending: null }), KafkaError);
});
