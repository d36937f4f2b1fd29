/**
 * The server with settings that only tests change: the flags of `millrace serve`, and ServerTuning as JSON in
 * MILLRACE_TEST_TUNING. Everything else is what main.ts does.
 */

import { parseCommand } from '../base/config.ts';
import { stopOnSignals } from '../base/lifecycle.ts';
import { createLog } from '../base/log.ts';

// Loaded here, because no folder imports the composition root.
const { readyLine, startServer } = await import('../server.ts');

const command = parseCommand(['serve', ...process.argv.slice(2)], process.env);
if (command.kind !== 'serve') throw new Error('only serve is known here');
const log = createLog(command.config.logLevel);
const tuning = JSON.parse(process.env.MILLRACE_TEST_TUNING ?? '{}');
const server = await startServer(command.config, log, tuning);
stopOnSignals(server.lifecycle, log);
process.stdout.write(`${readyLine(command.config, server, process.pid)}\n`);
