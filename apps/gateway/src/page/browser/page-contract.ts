import type { Room, WssClient } from '@wss/client';
import type { WssContract } from '../../../../../contract/wss-contract.js';
import type { DemoNodesView, DemoRefused } from '../demo-nodes.view.js';

export type { Card } from '../../../../../contract/wss-contract.js';

/** Events to the page besides those of its rooms; not part of the contract. */
interface DemoEvents {
  readonly 'demo.nodes': DemoNodesView;
  readonly 'demo.refused': DemoRefused;
}

/** The contract, and the demo's own events. */
export interface PageContract extends Omit<WssContract, 'events'> {
  readonly events: DemoEvents;
}

export type PageClient = WssClient<PageContract>;
export type ChatRoom = Room<WssContract['rooms']['chat']>;
export type CounterRoom = Room<WssContract['rooms']['counter']>;
export type BoardRoom = Room<WssContract['rooms']['board']>;
