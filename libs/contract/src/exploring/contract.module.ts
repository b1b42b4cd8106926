import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HandlersModule } from '@wss/core';
import { ContractExplorer } from './contract-explorer.js';

/** The application's contract, from its own handlers, room types and documents. */
@Module({
  imports: [DiscoveryModule, HandlersModule],
  providers: [ContractExplorer],
  exports: [ContractExplorer],
})
export class ContractModule {}
