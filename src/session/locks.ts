/**
 * Write locks on tables (and one on the catalog): first come, first served, held until the transaction ends.
 *
 * Readers never take one. A wait that would close a cycle of waiting transactions is refused with 40P01 (PostgreSQL's
 * deadlock_detected) for the one that would close it. Cost: acquire and release O(1), the cycle check O(waiters).
 */

import { assert } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';

/** The lock of all DDL. */
export const CATALOG_LOCK = 0;

/** Who holds or waits: one transaction. */
export interface LockOwner {
  readonly id: number;
}

interface Waiter {
  readonly owner: LockOwner;
  readonly grant: () => void;
}

interface Lock {
  owner: LockOwner;
  readonly waiters: Waiter[];
}

export interface LockWait {
  /** 0: none. */
  readonly timeoutMs: number;
  /** Aborted when the statement is cancelled; its reason is thrown. */
  readonly signal: AbortSignal;
}

export class LockTable {
  readonly #locks = new Map<number, Lock>();
  readonly #waitingFor = new Map<LockOwner, number>();

  /** Resolves when `owner` holds the lock on `objectId`; taking it twice is nothing. */
  async acquire(owner: LockOwner, objectId: number, wait: LockWait): Promise<void> {
    const lock = this.#locks.get(objectId);
    if (lock === undefined) {
      this.#locks.set(objectId, { owner, waiters: [] });
      return;
    }
    if (lock.owner === owner) return;
    this.#refuseCycle(owner, lock.owner);
    await this.#wait(lock, owner, objectId, wait);
  }

  releaseAll(owner: LockOwner): void {
    for (const [objectId, lock] of this.#locks)
      if (lock.owner === owner) this.#release(objectId, lock);
  }

  /** Locks that somebody holds. */
  get heldCount(): number {
    return this.#locks.size;
  }

  isHeldBy(owner: LockOwner, objectId: number): boolean {
    return this.#locks.get(objectId)?.owner === owner;
  }

  #release(objectId: number, lock: Lock): void {
    const next = lock.waiters.shift();
    if (next === undefined) {
      this.#locks.delete(objectId);
      return;
    }
    lock.owner = next.owner;
    this.#waitingFor.delete(next.owner);
    next.grant();
  }

  #refuseCycle(owner: LockOwner, holder: LockOwner): void {
    let current: LockOwner | undefined = holder;
    while (current !== undefined) {
      if (current === owner) {
        throw new SqlError('40P01', 'deadlock detected', {
          detail: 'The transactions wait for write locks that they hold against each other.',
          hint: 'Write to the tables in the same order in every transaction, then try again.',
        });
      }
      const objectId = this.#waitingFor.get(current);
      current = objectId === undefined ? undefined : this.#locks.get(objectId)?.owner;
    }
  }

  #wait(lock: Lock, owner: LockOwner, objectId: number, wait: LockWait): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        wait.signal.removeEventListener('abort', onAbort);
      };
      const leave = (reason: unknown) => {
        stop();
        const index = lock.waiters.indexOf(waiter);
        assert(index >= 0, 'a waiter is in the queue of its lock');
        lock.waiters.splice(index, 1);
        this.#waitingFor.delete(owner);
        reject(reason);
      };
      const waiter: Waiter = {
        owner,
        grant: () => {
          stop();
          resolve();
        },
      };
      const onAbort = () => leave(wait.signal.reason);
      const timer =
        wait.timeoutMs === 0
          ? undefined
          : setTimeout(
              () => leave(new SqlError('55P03', 'canceling statement due to lock timeout')),
              wait.timeoutMs,
            );
      if (wait.signal.aborted) {
        clearTimeout(timer);
        reject(wait.signal.reason);
        return;
      }
      lock.waiters.push(waiter);
      this.#waitingFor.set(owner, objectId);
      wait.signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
