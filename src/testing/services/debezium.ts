/**
 * Real change data capture: Kafka Connect (standalone) with Debezium's PostgreSQL connector. The changes of a table go to the
 * topic `prefix.schema.table` as JSON without schema, or by `avroConverters`. Stopping it leaves the replication slot (named like the prefix).
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../base/assert.ts';
import { freePorts } from './free-ports.ts';
import { jarsOf, QUICK_START } from './java.ts';
import { LOGGING, lines } from './kafka.ts';
import { remembered } from './remembered.ts';
import { type Program, ServiceProcess } from './service-process.ts';

export interface DebeziumOptions {
  /** host:port of Kafka's plaintext listener. */
  readonly bootstrap: string;
  readonly postgresPort: number;
  /** First part of the topics' names. */
  readonly prefix: string;
  /** schema.table, comma separated; patterns are allowed. */
  readonly tables: string;
  /** Further settings of the connector. */
  readonly properties?: Readonly<Record<string, string>>;
}

export class Debezium {
  readonly #directory: string;
  readonly #process: ServiceProcess;
  readonly #port: number;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.#process = new ServiceProcess(directory);
    this.#port = port;
  }

  static async at(directory: string): Promise<Debezium> {
    const port = await remembered(directory, 'port', async () => (await freePorts(1))[0]!);
    return new Debezium(directory, port);
  }

  /** Starts it with connectors of the same Kafka, and waits until they stream. */
  async start(...connectors: readonly DebeziumOptions[]): Promise<void> {
    const path = (name: string) => join(this.#directory, name);
    const files = connectors.map((options) => {
      const file = path(`${options.prefix}.properties`);
      writeFileSync(file, lines(connector(options)));
      return file;
    });
    writeFileSync(path('worker.properties'), lines(this.#worker(must(connectors[0]).bootstrap)));
    writeFileSync(path('log4j2.properties'), lines(LOGGING));
    const program: Program = {
      name: 'Debezium',
      command: 'java',
      args: [
        ...['-cp', jarsOf('debezium'), '-Xmx256m', ...QUICK_START],
        `-Dlog4j2.configurationFile=${path('log4j2.properties')}`,
        'org.apache.kafka.connect.cli.ConnectStandalone',
        ...[path('worker.properties'), ...files],
      ],
      ready: new RegExp(`(Starting streaming[^]*){${connectors.length}}`),
    };
    await this.#process.start(program);
  }

  async stop(): Promise<void> {
    await this.#process.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#process.end('SIGKILL');
  }

  #worker(bootstrap: string): Record<string, string> {
    const converter = 'org.apache.kafka.connect.json.JsonConverter';
    return {
      'bootstrap.servers': bootstrap,
      listeners: `http://127.0.0.1:${this.#port}`,
      'key.converter': converter,
      'key.converter.schemas.enable': 'false',
      'value.converter': converter,
      'value.converter.schemas.enable': 'false',
      'offset.storage.file.filename': join(this.#directory, 'offsets'),
      'offset.flush.interval.ms': '1000',
      'plugin.discovery': 'service_load',
      'topic.creation.enable': 'true',
    };
  }
}

/**
 * Properties of a connector that writes keys and values as Avro with ids of this registry's schemas, as Confluent's converter
 * does (which is not on Maven Central): Apicurio's. `registryUrl`: what a client of Confluent's interface is given.
 */
export function avroConverters(registryUrl: string): Record<string, string> {
  const properties = {
    '': 'io.apicurio.registry.utils.converter.AvroConverter',
    '.apicurio.registry.url': registryUrl.replace(/ccompat.*$/, 'registry/v2'),
    '.apicurio.registry.auto-register': 'true',
    '.apicurio.registry.as-confluent': 'true',
    '.apicurio.registry.use-id': 'contentId',
    '.apicurio.registry.headers.enabled': 'false',
  };
  return Object.fromEntries(
    ['key.converter', 'value.converter'].flatMap((part) =>
      Object.entries(properties).map(([name, value]) => [part + name, value]),
    ),
  );
}

function connector(options: DebeziumOptions): Record<string, string> {
  return {
    name: options.prefix,
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'plugin.name': 'pgoutput',
    'database.hostname': '127.0.0.1',
    'database.port': String(options.postgresPort),
    'database.user': 'postgres',
    'database.password': '',
    'database.dbname': 'postgres',
    'topic.prefix': options.prefix,
    'slot.name': options.prefix,
    // Connectors that start at once would make the same one.
    'publication.name': options.prefix,
    'table.include.list': options.tables,
    'topic.creation.default.replication.factor': '1',
    'topic.creation.default.partitions': '1',
    'provide.transaction.metadata': 'true',
    ...options.properties,
  };
}
