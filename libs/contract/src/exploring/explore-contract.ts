import type { DynamicModule, Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModulesContainer, NestFactory } from '@nestjs/core';
import { HandlerExplorer, RoomTypeRegistry } from '@wss/core';
import { ContractExplorer } from './contract-explorer.js';

/** The root module of an application, as `NestFactory.create` takes it. */
export type RootModule = Type<object> | DynamicModule | Promise<DynamicModule>;

/**
 * Finds an application's contract without starting it: no provider is made, no factory is called, no hook runs,
 * nothing listens and no Redis is asked. An import of the modules runs what it always does: their files, their
 * decorators, and static methods such as `ConfigModule.forRoot()`.
 * @throws Error when Nest can't read the modules, or can't give a provider what it injects
 */
export async function exploreContract(root: RootModule): Promise<ContractExplorer> {
  const app = await NestFactory.createApplicationContext(root, {
    preview: true,
    abortOnError: false,
    logger: ['error', 'fatal'],
  });
  const discovery = new DiscoveryService(app.get(ModulesContainer));
  const types = new RoomTypeRegistry(discovery);
  return new ContractExplorer(new HandlerExplorer(discovery, new MetadataScanner()), discovery, types);
}
