/** What the thread that delivers a spool tells the thread that fills it, as messages. */

import { statusText } from '../../base/sql-error.ts';
import { fromPortError, type PortError, toPortError } from '../../base/threads.ts';
import type { SpoolPosition } from './spool.ts';
import type { SpoolDelivererEvents } from './spool-deliverer.ts';
import type { CourierListener } from './spooled-sink.ts';

export type CourierEvent =
  /** All up to `epoch` is delivered, which ends at `position` of the spool. */
  | { readonly kind: 'delivered'; readonly epoch: number; readonly position: SpoolPosition }
  /** The outside cannot be reached, or can be again (null); it goes on trying. */
  | { readonly kind: 'trouble'; readonly reason: string | null }
  /** It cannot go on. */
  | { readonly kind: 'failed'; readonly error: PortError };

export function postEvents(post: (event: CourierEvent) => void): SpoolDelivererEvents {
  return {
    onDelivered: (epoch, position) => post({ kind: 'delivered', epoch, position }),
    onTrouble: (reason) => post({ kind: 'trouble', reason }),
    onFailed: (error) => post({ kind: 'failed', error: toPortError(error) }),
  };
}

export function tell(listener: CourierListener, event: CourierEvent): void {
  switch (event.kind) {
    case 'delivered':
      listener.onDelivered(event.epoch, event.position);
      return;
    case 'trouble':
      listener.onTrouble(event.reason);
      return;
    case 'failed':
      listener.onFailed(statusText(fromPortError(event.error)));
  }
}
