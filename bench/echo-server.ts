/**
 * The least that a server can do: any bytes are answered at once with the bytes of the first argument (hexadecimal). What a
 * reading over one connection costs without a database: two sockets, two event loops, and the kernel that wakes them. The
 * second argument is how long (µs) it polls after an answer, as the database server does. Prints its port.
 */

import { type AddressInfo, createServer } from 'node:net';
import { must } from '../src/base/assert.ts';
import { BusyPoll } from '../src/wire/busy-poll.ts';

const poll = new BusyPoll(Number(process.argv[3]));
const answer = Buffer.from(must(process.argv[2]), 'hex');
const server = createServer({ noDelay: true }, (socket) => {
  const rhythm = poll.rhythm();
  socket.on('data', () => {
    rhythm.asked();
    socket.write(answer);
    rhythm.answered();
  });
  socket.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.once('disconnect', () => process.exit());
