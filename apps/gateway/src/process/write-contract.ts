import 'reflect-metadata';
import { runContractCommand } from '@wss/nest/contract';
import { AppModule } from '../app.module.js';
import { loadConfig } from '../load-config.js';
import { CONTRACT_INFO } from '../contract/contract-info.js';

// `npm run contract`: writes the contract of the features, or checks the files against it; nothing is started.
await runContractCommand(AppModule.with(loadConfig({ AUTH: 'none' }), 'contract'), { info: CONTRACT_INFO });
