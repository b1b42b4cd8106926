import { type DynamicModule, Global, Module } from '@nestjs/common';
import { bindValue } from '@wss/core';
import { NodeGivens } from '@wss/state';

/** Gives the node the name that its log lines already have, and the data that an earlier start kept. */
@Global()
@Module({})
export class NodeNameModule {
  static with(givens: NodeGivens): DynamicModule {
    return {
      module: NodeNameModule,
      providers: [bindValue(NodeGivens, givens)],
      exports: [NodeGivens],
    };
  }
}
