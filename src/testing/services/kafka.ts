/**
 * A real Apache Kafka (KRaft), of one node or three, with the listeners that users have: plaintext, SASL (PLAIN, SCRAM), TLS
 * (client certificate optional), SASL over TLS. Everything lies in one folder and on free ports of loopback; data stays when
 * it is stopped or killed.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificates } from './certificates.ts';
import { freePorts } from './free-ports.ts';
import { jarsOf, QUICK_START } from './java.ts';
import { remembered } from './remembered.ts';
import { type Program, ServiceProcess } from './service-process.ts';

export const KAFKA_USERS = {
  plain: { name: 'plain', password: 'plain-secret' },
  scram: { name: 'scram', password: 'scram-secret' },
  /** SCRAM too; tests change its password. */
  changing: { name: 'changing', password: 'first-secret' },
  /** SCRAM too; the one of the documentation. */
  documented: { name: 'millrace', password: 'first' },
} as const;

const SCRAM_MECHANISMS = ['SCRAM-SHA-256', 'SCRAM-SHA-512'];
const MECHANISMS = ['PLAIN', ...SCRAM_MECHANISMS].join(',');
/** Whom a token has to be for. */
export const TOKEN_AUDIENCE = 'kafka';
const LISTENERS = ['plaintext', 'controller', 'sasl', 'tls', 'saslTls'] as const;
export type KafkaListener = Exclude<(typeof LISTENERS)[number], 'controller'>;
type Ports = Readonly<Record<(typeof LISTENERS)[number], number>>;

/** Any 16 bytes in base64url. */
const CLUSTER_ID = 'bWlsbHJhY2UtdGVzdHMtMQ';

export interface KafkaOptions {
  /** 1, or 3 for a cluster that keeps everything three times. */
  readonly nodeCount?: 1 | 3;
  readonly heapMiB?: number;
  /** The JVM's own defaults: slower to start, faster to run. */
  readonly isForBenchmarks?: boolean;
  /** Further lines of server.properties. */
  readonly properties?: Readonly<Record<string, string>>;
  /** OAUTHBEARER as well: a JSON Web Key Set with the keys of whoever signs tokens. */
  readonly tokenKeysUrl?: string;
}

export class KafkaCluster {
  readonly #directory: string;
  readonly #options: KafkaOptions;
  readonly #nodes: readonly Ports[];

  private constructor(directory: string, options: KafkaOptions, nodes: readonly Ports[]) {
    this.#directory = directory;
    this.#options = options;
    this.#nodes = nodes;
  }

  /** The cluster of a folder: the one that it holds, or a new one on free ports. Not started yet. */
  static async at(directory: string, options: KafkaOptions = {}): Promise<KafkaCluster> {
    const nodes = await remembered(directory, 'nodes', async () => {
      const count = options.nodeCount ?? 1;
      const ports = await freePorts(count * LISTENERS.length);
      return Array.from({ length: count }, (_, node) => portsOf(ports, node));
    });
    return new KafkaCluster(directory, options, nodes);
  }

  static async start(directory: string, options: KafkaOptions = {}): Promise<KafkaCluster> {
    const cluster = await KafkaCluster.at(directory, options);
    await cluster.start();
    return cluster;
  }

  get nodeCount(): number {
    return this.#nodes.length;
  }

  /** host:port of every node, comma separated. */
  bootstrap(listener: KafkaListener = 'plaintext'): string {
    return this.#nodes.map((ports) => `127.0.0.1:${ports[listener]}`).join(',');
  }

  /** PEM files: ca.pem, client.pem, client.key. */
  get certificates(): string {
    return join(this.#directory, 'tls');
  }

  /** Starts the nodes that do not run (nodes count from 1; absent: all), and waits until they serve. */
  async start(node?: number): Promise<void> {
    makeCertificates(this.certificates);
    const jars = jarsOf('kafka');
    const programs = this.#which(node).map((n) => {
      const one = this.#process(n);
      const program = this.#program(n, jars);
      if (one.pid === null) {
        this.#configure(n, jars);
        one.launch(program);
      }
      return { one, program };
    });
    for (const { one, program } of programs) await one.ready(program);
  }

  async stop(node?: number): Promise<void> {
    await this.#end('SIGTERM', node);
  }

  /** kill -9. */
  async kill(node?: number): Promise<void> {
    await this.#end('SIGKILL', node);
  }

  /** Ends it and deletes its data. */
  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL', node?: number): Promise<void> {
    await Promise.all(this.#which(node).map((n) => this.#process(n).end(signal)));
  }

  #which(node?: number): number[] {
    return node === undefined ? this.#nodes.map((_, index) => index + 1) : [node];
  }

  #folder(node: number): string {
    return join(this.#directory, `node${node}`);
  }

  #process(node: number): ServiceProcess {
    return new ServiceProcess(this.#folder(node));
  }

  #program(node: number, jars: string): Program {
    const folder = this.#folder(node);
    const { heapMiB = 512, isForBenchmarks = false, tokenKeysUrl: keys } = this.#options;
    return {
      name: `Kafka node ${node}`,
      command: 'java',
      args: [
        ...['-cp', jars, `-Xmx${heapMiB}m`, ...(isForBenchmarks ? [] : QUICK_START)],
        `-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`,
        ...(keys === undefined ? [] : [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${keys}`]),
        ...['kafka.Kafka', join(folder, 'server.properties')],
      ],
      ready: 'Kafka Server started',
    };
  }

  #configure(node: number, jars: string): void {
    const folder = this.#folder(node);
    const properties = join(folder, 'server.properties');
    const logging = join(folder, 'log4j2.properties');
    writeFileSync(properties, lines({ ...this.#properties(node), ...this.#options.properties }));
    writeFileSync(logging, lines(LOGGING));
    if (existsSync(join(folder, 'data/meta.properties'))) return;
    const users = [KAFKA_USERS.scram, KAFKA_USERS.changing, KAFKA_USERS.documented].flatMap(
      ({ name, password }) =>
        SCRAM_MECHANISMS.flatMap((mechanism) => [
          '--add-scram',
          `${mechanism}=[name=${name},password=${password}]`,
        ]),
    );
    const format = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', properties];
    this.#runTool(jars, node, [...format, ...users]);
  }

  /** Another password of a user, for SCRAM-SHA-256; connections that are there stay. */
  changePassword(name: string, password: string): void {
    this.#runTool(jarsOf('kafka'), 1, [
      ...['kafka.admin.ConfigCommand', '--bootstrap-server', this.bootstrap(), '--alter'],
      ...['--entity-type', 'users', '--entity-name', name, '--add-config'],
      `SCRAM-SHA-256=[password=${password}]`,
    ]);
  }

  #runTool(jars: string, node: number, command: readonly string[]): void {
    const logging = join(this.#folder(node), 'log4j2.properties');
    const java = ['-cp', jars, `-Dlog4j2.configurationFile=${logging}`, '-XX:TieredStopAtLevel=1'];
    execFileSync('java', [...java, ...command], { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  #properties(node: number): Record<string, string> {
    const { plaintext, controller, sasl, tls, saslTls } = this.#nodes[node - 1]!;
    const address = (name: string, port: number) => `${name}://127.0.0.1:${port}`;
    const served = [
      address('PLAINTEXT', plaintext),
      address('SASL_PLAINTEXT', sasl),
      address('SSL', tls),
      address('SASL_SSL', saslTls),
    ];
    const voters = this.#nodes.map((ports, index) => `${index + 1}@127.0.0.1:${ports.controller}`);
    const copies = String(this.nodeCount);
    const inSync = String((this.nodeCount + 1) >> 1);
    const { certificates } = this;
    const { tokenKeysUrl } = this.#options;
    const tokens = tokenKeysUrl === undefined ? {} : tokenLogins('sasl_plaintext', tokenKeysUrl);
    return {
      'process.roles': 'broker,controller',
      'node.id': String(node),
      'controller.quorum.voters': voters.join(','),
      'controller.listener.names': 'CONTROLLER',
      listeners: [...served, address('CONTROLLER', controller)].join(','),
      'advertised.listeners': served.join(','),
      'listener.security.protocol.map':
        'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL',
      'inter.broker.listener.name': 'PLAINTEXT',
      'log.dirs': join(this.#folder(node), 'data'),
      'sasl.enabled.mechanisms': MECHANISMS,
      ...saslLogins('sasl_plaintext'),
      ...saslLogins('sasl_ssl'),
      ...tokens,
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': join(certificates, 'server.both.pem'),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': join(certificates, 'ca.pem'),
      'ssl.client.auth': 'requested',
      'auto.create.topics.enable': 'false',
      'default.replication.factor': copies,
      'min.insync.replicas': inSync,
      'offsets.topic.replication.factor': copies,
      'offsets.topic.num.partitions': '4',
      'transaction.state.log.replication.factor': copies,
      'transaction.state.log.min.isr': inSync,
      'transaction.state.log.num.partitions': '4',
      'share.coordinator.state.topic.replication.factor': copies,
      'share.coordinator.state.topic.min.isr': inSync,
      // What a real cluster waits for long, a test should not.
      'group.initial.rebalance.delay.ms': '0',
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
      'log.retention.check.interval.ms': '1000',
      'log.retention.hours': '-1',
      'message.max.bytes': String(64 * 1024 * 1024),
      'replica.fetch.max.bytes': String(64 * 1024 * 1024),
    };
  }
}

export const LOGGING = {
  'rootLogger.level': 'INFO',
  'rootLogger.appenderRef.out.ref': 'out',
  'appender.out.type': 'Console',
  'appender.out.name': 'out',
  'appender.out.layout.type': 'PatternLayout',
  'appender.out.layout.pattern': '%d{HH:mm:ss.SSS} %p %c{1} %m%n',
};

function saslLogins(listener: string): Record<string, string> {
  const { name, password } = KAFKA_USERS.plain;
  const key = (mechanism: string) => `listener.name.${listener}.${mechanism}.sasl.jaas.config`;
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  return {
    [key('plain')]:
      `org.apache.kafka.common.security.plain.PlainLoginModule required user_${name}="${password}";`,
    [key('scram-sha-256')]: scram,
    [key('scram-sha-512')]: scram,
  };
}

/** Tokens are good to the second. */
function tokenLogins(listener: string, keysUrl: string): Record<string, string> {
  const key = (name: string) => `listener.name.${listener}.oauthbearer.${name}`;
  const java = 'org.apache.kafka.common.security.oauthbearer';
  return {
    [`listener.name.${listener}.sasl.enabled.mechanisms`]: `${MECHANISMS},OAUTHBEARER`,
    [key('sasl.jaas.config')]: `${java}.OAuthBearerLoginModule required;`,
    [key('sasl.server.callback.handler.class')]: `${java}.OAuthBearerValidatorCallbackHandler`,
    [key('sasl.oauthbearer.jwks.endpoint.url')]: keysUrl,
    [key('sasl.oauthbearer.expected.audience')]: TOKEN_AUDIENCE,
    [key('sasl.oauthbearer.clock.skew.seconds')]: '0',
  };
}

export function lines(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function portsOf(ports: readonly number[], node: number): Ports {
  const own = ports.slice(node * LISTENERS.length);
  return Object.fromEntries(
    LISTENERS.map((name, index) => [name, own[index]!]),
  ) as unknown as Ports;
}
