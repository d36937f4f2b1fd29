/** What the engine's parts and its epochs are given from outside. */

import type { Clock } from '../base/clock.ts';
import type { PlacedText } from '../connect/sealed-options.ts';
import type { Memory } from '../memory/memory.ts';
import type { EpochControl } from '../state/epoch-control.ts';
import type { EngineMetadata } from './engine-state.ts';
import type { Connectors } from './feed-context.ts';
import type { EngineOptions } from './port.ts';

export interface StepSetup {
  readonly options: EngineOptions;
  readonly control: EpochControl;
  readonly clock: Clock;
  /** The data directory's own UUID. */
  readonly incarnation: string;
  /** Each sink's own directory lies here, by UUID; null: nothing is kept. */
  readonly sinkRoot: string | null;
  readonly connectors: Connectors;
  /** Restored by a checkpoint, by name; a part takes its own out. */
  readonly memories: Map<string, Memory>;
  /** What the checkpoint says; null: there was none. */
  readonly metadata: EngineMetadata | null;
  /** By source or sink: how the log that is to be replayed alters its options. Absent: it does not. */
  readonly foreseenOptions?: ReadonlyMap<number, readonly PlacedText[]>;
  /** Sources that it drops and nobody needs to read again, and what reads them (foreseen.ts). Absent: none. */
  readonly forgotten?: ReadonlySet<number>;
  /** No epoch beyond it was ever given away: a sink that knows a later one is not ours. */
  readonly lastEpoch: number;
  /** Something has arrived: run an epoch soon. */
  wake(): void;
  log(level: 'info' | 'warn' | 'error', text: string): void;
  /** A view or sink has stopped for good: reading it is refused from now on (rule 29). */
  onStopped(id: number, reason: string): void;
}
