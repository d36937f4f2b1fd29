/** What the Kafka tests of a file share: a cluster, a server, and a connection to the server. */

import { type ServerOptions, ServerProcess } from '../server-process.ts';
import type { KafkaOptions } from '../services/kafka.ts';
import { SqlClient } from '../sql-client.ts';
import { KafkaFixture } from './kafka-fixture.ts';

export class KafkaScene {
  readonly kafka: KafkaFixture;
  readonly server: ServerProcess;
  /** Stays the same through restarts of the server: `ServerProcess.killAndRestart`. */
  readonly sql: SqlClient;
  readonly #started: AsyncDisposableStack;

  private constructor(
    kafka: KafkaFixture,
    server: ServerProcess,
    sql: SqlClient,
    started: AsyncDisposableStack,
  ) {
    this.kafka = kafka;
    this.server = server;
    this.sql = sql;
    this.#started = started;
  }

  static async start(server: ServerOptions = {}, cluster: KafkaOptions = {}): Promise<KafkaScene> {
    await using started = new AsyncDisposableStack();
    const kafka = started.adopt(await KafkaFixture.start(cluster), (one) => one.dispose());
    const process = started.adopt(await ServerProcess.start(server), (one) => one.dispose());
    const sql = started.adopt(await SqlClient.connect(process.url), (one) => one.close());
    return new KafkaScene(kafka, process, sql, started.move());
  }

  async dispose(): Promise<void> {
    await this.#started.disposeAsync();
  }
}
