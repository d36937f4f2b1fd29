/** The command line, the environment and the config file. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { type Config, ConfigError, type Environment, helpText, parseCommand } from './config.ts';
import { parseToml } from './toml.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-config-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function serve(args: readonly string[], environment: Environment = {}): Config {
  const command = parseCommand(args, environment);
  assert.ok(command.kind === 'serve');
  return command.config;
}

test('defaults', () => {
  const config = serve([]);
  assert.equal(config.host, '127.0.0.1');
  assert.equal(config.port, 4432);
  assert.equal(config.httpPort, 4480);
  assert.equal(config.dataDir, './millrace-data');
  assert.equal(config.workers, null);
  assert.equal(config.logLevel, 'info');
  assert.equal(config.kernels, 'auto');
  assert.equal(config.password, null);
  assert.equal(config.tls, null);
  assert.equal(config.isInsecure, false);
  assert.equal(config.busyPollUs, availableParallelism() > 1 ? 200 : 0);
  assert.deepEqual(config.fileRoots, [process.cwd()]);
  assert.ok(config.memoryLimitBytes > 0);
  assert.equal(config.queryMemoryBytes, Math.floor(config.memoryLimitBytes / 4));
});

test('flag > environment > file > default', () => {
  const toml = file('a.toml', 'port = 1 # one\nhost = "::1"\nworkers = "3"\nlog-level = "warn"\n');
  const environment = { MILLRACE_PORT: '2', MILLRACE_WORKERS: '4', MILLRACE_CONFIG: toml };
  const config = serve(['serve', '--port', '3', '--http-port=off'], environment);
  assert.equal(config.port, 3);
  assert.equal(config.workers, 4);
  assert.equal(config.host, '::1');
  assert.equal(config.logLevel, 'warn');
  assert.equal(config.httpPort, null);
  assert.equal(serve(['--busy-poll', '0']).busyPollUs, 0);
  assert.throws(() => serve(['--busy-poll', '1001']), /expected a number from 0 to 1000/);
  const json = file(
    'a.json',
    '{"port": 7, "file-root": ["/tmp", "/usr"], "memory-limit": "1.5GB"}',
  );
  const other = serve(['--config', json]);
  assert.equal(other.port, 7);
  assert.deepEqual(other.fileRoots, ['/tmp', '/usr']);
  assert.equal(other.memoryLimitBytes, 1.5 * 2 ** 30);
});

test('file roots repeat and are absolute', () => {
  assert.deepEqual(serve(['--file-root', '..', '--file-root=/usr']).fileRoots, [
    resolve('..'),
    '/usr',
  ]);
  assert.deepEqual(serve([], { MILLRACE_FILE_ROOT: '/tmp:/usr' }).fileRoots, ['/tmp', '/usr']);
});

test('passwords and TLS', () => {
  const secret = file('secret', 'sesame \n');
  assert.equal(serve(['--password-file', secret]).password, 'sesame ');
  assert.equal(serve([], { MILLRACE_PASSWORD: 'x' }).password, 'x');
  assert.equal(serve(['--password-file', secret], { MILLRACE_PASSWORD: 'x' }).password, 'sesame ');
  assert.equal(serve(['--host', '0.0.0.0'], { MILLRACE_PASSWORD: 'x' }).host, '0.0.0.0');
  assert.equal(serve(['--host', '0.0.0.0', '--insecure']).isInsecure, true);
  const cert = file('cert.pem', 'C');
  const tls = serve(['--tls-cert', cert, '--tls-key', cert]).tls;
  assert.deepEqual(tls, { certPem: 'C', keyPem: 'C' });
});

test('other commands', () => {
  assert.deepEqual(parseCommand(['sql', '-c', 'SELECT 1'], {}), {
    kind: 'sql',
    args: ['-c', 'SELECT 1'],
  });
  assert.equal(parseCommand(['--version'], {}).kind, 'version');
  assert.equal(parseCommand(['serve', '--help'], {}).kind, 'help');
  assert.equal(parseCommand(['sql', '--help'], {}).kind, 'help');
  assert.match(helpText(), /--query-memory +MILLRACE_QUERY_MEMORY/);
});

test('the demo, alone and by way of Kafka', () => {
  const demo = (...args: string[]) => {
    const command = parseCommand(['demo', ...args], {});
    assert.ok(command.kind === 'demo');
    return { brokers: command.brokers, dataDir: command.config.dataDir };
  };
  assert.deepEqual(demo(), { brokers: null, dataDir: './millrace-data/demo' });
  const dataDir = './millrace-data/demo-kafka';
  assert.deepEqual(demo('--kafka=a:9092,b:9093'), { brokers: 'a:9092,b:9093', dataDir });
  assert.deepEqual(demo('--kafka', 'a:1'), { brokers: 'a:1', dataDir });
  assert.deepEqual(demo('--kafka', 'a:1', '--data-dir', 'd'), { brokers: 'a:1', dataDir: 'd' });
  assert.match(helpText(), /--kafka +the demo's brokers, host:port,/);
});

const REFUSED: readonly [readonly string[], Environment, RegExp][] = [
  [['--prot', '1'], {}, /^millrace: unknown option --prot: did you mean --port\?$/],
  [['--bogus-thing'], {}, /^millrace: unknown option --bogus-thing: see millrace --help$/],
  [['start'], {}, /^millrace: unknown command or argument "start"$/],
  [['--port'], {}, /^millrace: --port needs a value: SQL port, /],
  [['demo', '--kafka'], {}, /^millrace: --kafka needs a value: the demo's brokers, host:port,/],
  [['demo', '--kafka', '--port', '1'], {}, /--kafka needs a value: the demo's brokers/],
  [['demo', '--kafka=here'], {}, /bad value "here" for --kafka: expected host:port or/],
  [['--kafka=a:1'], {}, /^millrace: --kafka is an option of millrace demo$/],
  [['--insecure=yes'], {}, /^millrace: --insecure takes no value$/],
  [['--port', '65536'], {}, /^millrace: bad value "65536" for --port: expected a number from 0/],
  [['--port', '-1'], {}, /bad value "-1" for --port/],
  [['--host', ''], {}, /bad value "" for --host: expected a value/],
  [[], { MILLRACE_PORT: 'x' }, /bad value "x" for MILLRACE_PORT/],
  [['--http-port', 'no'], {}, /for --http-port: expected a port or off/],
  [['--workers', '0'], {}, /for --workers: expected auto or a number from 1 to 64/],
  [['--memory-limit', '12'], {}, /for --memory-limit: expected at least 16MB/],
  [['--memory-limit', '1GB', '--query-memory', '2GB'], {}, /--query-memory is more than/],
  [['--log-level', 'loud'], {}, /: expected trace, debug, info, warn, error, fatal or silent$/],
  [['--kernels', 'rust'], {}, /^millrace: bad value "rust" for --kernels: expected auto or ts$/],
  [['--file-root', '/nowhere'], {}, /^millrace: --file-root: \/nowhere is not a directory$/],
  [[], { MILLRACE_FILE_ROOT: '/etc/hosts' }, /^millrace: MILLRACE_FILE_ROOT: \/etc\/hosts is not/],
  [['--port', '4480'], {}, /--port and --http-port are both 4480/],
  [['--host', '0.0.0.0'], {}, /not a loopback address: set a password/],
  [['--host', '127.0.0.1.example.com'], {}, /not a loopback address/],
  [['--tls-cert', 'x'], {}, /--tls-cert and --tls-key go together/],
  [
    ['--tls-cert', '/nowhere', '--tls-key', '/nowhere'],
    {},
    /cannot read TLS certificate .*no such file/,
  ],
  [
    ['--password-file', '/nowhere'],
    {},
    /cannot read password file \/nowhere: there is no such file or directory$/,
  ],
  [['--config', '/nowhere'], {}, /cannot read config file \/nowhere: there is no such file/],
];

for (const [args, environment, expected] of REFUSED) {
  test(`refused: ${args.join(' ') || JSON.stringify(environment)}`, () => {
    assert.throws(
      () => parseCommand(args, environment),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.exitCode, 2);
        assert.match(error.message, expected);
        assert.ok(!error.message.includes('\n'), 'one line');
        return true;
      },
    );
  });
}

test('config files that are refused', () => {
  const cases: readonly [string, string, RegExp][] = [
    ['b.json', '{', /cannot read config file/],
    ['b.json', '[]', /bad value/],
    ['b.json', '{"prot": 1}', /unknown option "prot": did you mean port\?/],
    ['b.json', '{"port": [1]}', /bad value of "port"/],
    ['b.json', '{"port": ["1"]}', /port takes one value/],
    ['b.json', '{"port": "x"}', /bad value "x" for .*b\.json: port/],
    ['b.json', '{"insecure": true}', /unknown option "insecure"/],
    ['b.toml', '[server]', /line 1: expected key = value/],
    ['b.toml', '\nport = 1.5', /line 2: unexpected \.5/],
  ];
  for (const [name, text, expected] of cases) {
    assert.throws(() => serve(['--config', file(name, text)]), expected, text);
  }
});

test('the part of TOML that is read', () => {
  const text = [
    '# all',
    ' a = "x\\ty" # tab',
    `"b" = 'c:\\n'`,
    'c = 1_000',
    'd = true',
    `e = ["p", 'q', ]`,
    'f = []',
  ].join('\n');
  assert.deepEqual(
    { ...parseToml(text) },
    { a: 'x\ty', b: 'c:\\n', c: 1000, d: true, e: ['p', 'q'], f: [] },
  );
  for (const bad of [
    'a',
    'a = ',
    'a = "x',
    'a = "\\q"',
    'a = 1\na = 2',
    'a = [1]',
    'a = ["x" "y"]',
    "a = '''x'''",
  ]) {
    assert.throws(() => parseToml(bad), /^Error: line \d/, bad);
  }
});
