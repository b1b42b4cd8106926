import { type DynamicModule, Global, Module } from '@nestjs/common';
import { bindValue } from '@wss/core';
import { NodeGivens } from '@wss/state';

/** Gives the node the name that its log lines already have. */
@Global()
@Module({})
export class NodeNameModule {
  static with(nodeId: string): DynamicModule {
    return {
      module: NodeNameModule,
      providers: [bindValue(NodeGivens, { nodeId })],
      exports: [NodeGivens],
    };
  }
}
