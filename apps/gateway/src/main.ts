import 'reflect-metadata';
import { loadConfig } from './config.js';
import { fail, runNode } from './run-node.js';

try {
  await runNode(loadConfig(process.env));
} catch (error) {
  fail(error);
}
