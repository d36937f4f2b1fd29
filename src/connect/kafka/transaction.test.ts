import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  Connection,
  describeTransactionsV0,
  endTxnV3,
  findCoordinatorV4,
  initProducerIdV4,
} from '@platformatic/kafka';
import { KafkaClient } from './client.ts';
import { KAFKA_CODES } from './kafka-error.ts';
import { OutcomeNote } from './outcome-note.ts';
import { TransactionalProducer } from './transaction.ts';

const ENDING = { producerId: 7n, producerEpoch: 3 };

/** A producer that crashed while it ended a commit; its coordinator answers `errorCode`, then that this is open. */
function crashed(context: TestContext, errorCode: number) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-transaction-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const note = new OutcomeNote(directory);
  note.write({ outcome: 'commit', ending: ENDING });
  const { mock } = context;
  const asked: string[] = [];
  const answer = (name: string, api: { async: unknown }, of: () => object) =>
    mock.method(api as { async: () => Promise<object> }, 'async', () => {
      asked.push(name);
      return Promise.resolve(of());
    });
  mock.method(Connection.prototype, 'connect', () => Promise.resolve());
  answer('coordinator', findCoordinatorV4.api, () => ({
    coordinators: [{ nodeId: 1, host: 'a', port: 1, errorCode: 0 }],
  }));
  const codes = [errorCode];
  answer('describe', describeTransactionsV0.api, () => {
    const state = { errorCode: codes.pop() ?? 0, transactionState: 'Ongoing', ...ENDING };
    return { transactionStates: [state] };
  });
  answer('end', endTxnV3.api, () => ({}));
  answer('init', initProducerIdV4.api, () => ({ producerId: 7n, producerEpoch: 4 }));
  const client = new KafkaClient({
    brokers: ['a:1'],
    clientId: 'test',
    tls: null,
    sasl: null,
    requestTimeoutMs: 1000,
    connectTimeoutMs: 1000,
  });
  return { producer: new TransactionalProducer(client, 'id', 1000, note), note, asked };
}

test('a coordinator that is loading is asked again how the last transaction ended', async (context) => {
  const { producer, note, asked } = crashed(context, KAFKA_CODES.coordinatorLoadInProgress);
  await producer.start();
  const again = ['coordinator', 'describe', 'coordinator', 'describe', 'end', 'init'];
  assert.deepEqual(asked, again);
  assert.deepEqual(note.read(), { outcome: 'commit', ending: null });
});

test('a coordinator that knows nothing of what ended a commit has taken it back', async (context) => {
  const { producer, asked } = crashed(context, KAFKA_CODES.transactionalIdNotFound);
  await assert.rejects(producer.start(), /took back a part of a transaction of "id"/);
  assert.deepEqual(asked, ['coordinator', 'describe']);
});
