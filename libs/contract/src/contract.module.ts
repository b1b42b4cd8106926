import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { bindFactory, HandlersModule } from '@wss/core';
import { DocumentRegistry, SharedState } from '@wss/state';
import { ContractExplorer } from './contract-explorer.js';

/** The application's contract, from its own handlers, room types and documents. */
@Module({
  imports: [DiscoveryModule, HandlersModule],
  providers: [bindFactory(DocumentRegistry, [SharedState], ({ documents }) => documents), ContractExplorer],
  exports: [ContractExplorer],
})
export class ContractModule {}
