/**
 * `npm run services -- kafka|registry|debezium|postgres up|down`: the real programs that tests and the demo talk to, kept in
 * build/services/run (or --directory) until they are taken down. Debezium goes from this folder's PostgreSQL to its Kafka.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Debezium } from './debezium.ts';
import { KafkaCluster, type KafkaListener } from './kafka.ts';
import { PostgresServer } from './postgres.ts';
import { SchemaRegistry } from './schema-registry.ts';
import { startProblem } from './start-problem.ts';

const USAGE = `usage: npm run services -- kafka|registry|debezium|postgres up|down [--nodes 1|3] [--tables public.*] [--directory DIR]`;
const LISTENERS: readonly KafkaListener[] = ['plaintext', 'sasl', 'tls', 'saslTls'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    nodes: { type: 'string', default: '1' },
    tables: { type: 'string', default: 'public.*' },
    directory: {
      type: 'string',
      default: join(import.meta.dirname, '../../../build/services/run'),
    },
  },
});

interface Service {
  up(directory: string): Promise<void>;
  /** Ends it; what it kept goes. */
  down(directory: string): Promise<void>;
}

const SERVICES: Readonly<Record<string, Service>> = {
  kafka: {
    up: async (directory) => {
      const nodeCount = values.nodes === '3' ? 3 : 1;
      const cluster = await KafkaCluster.start(directory, { nodeCount });
      for (const listener of LISTENERS) console.log(`${listener} ${cluster.bootstrap(listener)}`);
      console.log(`certificates ${cluster.certificates}`);
    },
    down: async (directory) => (await KafkaCluster.at(directory)).dispose(),
  },
  registry: {
    up: async (directory) => console.log((await SchemaRegistry.start(directory)).url),
    down: async (directory) => (await SchemaRegistry.at(directory)).stop(),
  },
  postgres: {
    up: async (directory) => console.log((await PostgresServer.start(directory)).url),
    down: async (directory) => (await PostgresServer.at(directory)).stop(),
  },
  debezium: {
    up: async (directory) => {
      const kafka = await KafkaCluster.start(join(values.directory, 'kafka'));
      const postgres = await PostgresServer.start(join(values.directory, 'postgres'));
      const options = { bootstrap: kafka.bootstrap(), postgresPort: postgres.port };
      await (await Debezium.at(directory)).start({
        ...options,
        prefix: 'cdc',
        tables: values.tables,
      });
      console.log(`kafka ${options.bootstrap}\npostgres ${postgres.url}\ntopics cdc.SCHEMA.TABLE`);
    },
    down: async (directory) => (await Debezium.at(directory)).stop(),
  },
};

const [name = '', action = ''] = positionals;
const service = SERVICES[name];
if (service === undefined || (action !== 'up' && action !== 'down')) {
  console.error(USAGE);
  process.exit(2);
}
const directory = join(values.directory, name);
if (action === 'down') {
  await service.down(directory);
  rmSync(directory, { recursive: true, force: true });
} else {
  const problem = startProblem(name);
  if (problem !== null) {
    console.error(problem);
    process.exit(1);
  }
  await service.up(directory);
}
