import type { AsyncApiInfo } from '@wss/nest/contract';

/** Name of the contract, and version of the protocol that carries it. */
export const CONTRACT_INFO: AsyncApiInfo = { title: 'wss gateway', version: '1.0.0' };
