import { Module } from '@nestjs/common';
import { ContractModule } from '@wss/nest/contract';
import { ContractController } from './contract.controller.js';

/** Serves the contract. */
@Module({ imports: [ContractModule], controllers: [ContractController] })
export class PublicContractModule {}
