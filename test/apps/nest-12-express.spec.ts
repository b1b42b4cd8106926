import { applicationContract } from './application.contract.js';
import { whyOffline } from './registry.js';

applicationContract({ nest: 12, platform: 'express' }, await whyOffline());
