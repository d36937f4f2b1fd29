/** The thread that talks to PostgreSQL servers for a thread that works synchronously (the dataflow worker). */

import { threadSelf } from '../../base/threads.ts';
import { postEvents } from '../spool/courier-events.ts';
import { SpoolDeliverer } from '../spool/spool-deliverer.ts';
import { TableWriter } from './table-writer.ts';
import type { FromPostgresThread, ToPostgresThread } from './writer-port.ts';

interface Writer {
  readonly target: TableWriter;
  readonly deliverer: SpoolDeliverer;
}

const self = threadSelf<ToPostgresThread, FromPostgresThread, null>();
const writers = new Map<number, Writer>();

self.onMessage((message) => {
  const { id } = message;
  switch (message.kind) {
    case 'open': {
      const target = new TableWriter(message.options);
      const events = postEvents((event) => self.post({ ...event, id }));
      const deliverer = new SpoolDeliverer(message.contents, target, events);
      writers.set(id, { target, deliverer });
      deliverer.run();
      return;
    }
    case 'spooled':
      writers.get(id)?.deliverer.spooled(message.end);
      return;
    case 'close':
      writers.get(id)?.deliverer.close();
      writers.get(id)?.target.close();
      writers.delete(id);
  }
});
