import { applicationContract } from './application.contract.js';
import { whyOffline } from './registry.js';

applicationContract({ nest: 11, platform: 'fastify' }, await whyOffline());
