import 'reflect-metadata';
import { argv, stderr, stdout } from 'node:process';
import { Logger } from '@nestjs/common';
import { AppModule } from '../app.module.js';
import { loadConfig } from '../config.js';
import { createNode } from './node-app.js';
import { ContractExplorer } from '@wss/nest/contract';
import { checkContract, type ContractResult, writeContract } from '../contract/contract-files.js';

/** `npm run contract`: writes the contract of the features into a folder, or checks it against the one there. */
async function main([folder, ...flags]: readonly string[]): Promise<ContractResult> {
  Logger.overrideLogger(['error']);
  const config = loadConfig({ AUTH: 'none' });
  const app = await createNode(AppModule.with(config, 'contract'));
  try {
    await app.init();
    const explorer = app.get(ContractExplorer, { strict: false });
    return flags.includes('--check')
      ? checkContract(explorer, folder!)
      : writeContract(explorer, folder!, { acceptBreaking: flags.includes('--accept-breaking') });
  } finally {
    await app.close();
  }
}

try {
  const { ok, text } = await main(argv.slice(2));
  (ok ? stdout : stderr).write(`${text}\n`);
  process.exit(ok ? 0 : 1);
} catch (error) {
  stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
