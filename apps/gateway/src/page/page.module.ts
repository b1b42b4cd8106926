import { type DynamicModule, Module } from '@nestjs/common';
import { bindValue } from '@wss/core';
import { Config } from '../config.js';
import { demoGateways } from './demo-nodes.gateway.js';
import { DemoNodes, DemoSelf } from './demo-nodes.js';
import { PageController } from './page.controller.js';

/**
 * The demo page. Where everybody may connect it also shows the nodes, and in development it lets the user kill the
 * node that serves the page.
 */
@Module({})
export class PageModule {
  static with(config: Config, nodeId: string): DynamicModule {
    const self = new DemoSelf(nodeId, mayKill(config));
    return {
      module: PageModule,
      controllers: [PageController],
      providers: [
        bindValue(Config, config),
        ...(showsNodes(config)
          ? [bindValue(DemoSelf, self), DemoNodes, ...demoGateways(config.WS_PATH, self.mayDie)]
          : []),
      ],
    };
  }
}

/** Strangers learn nothing of the cluster. */
export function showsNodes({ AUTH }: Config): boolean {
  return AUTH === 'none';
}

/** A production node is not for killing, even if everybody may connect. */
export function mayKill(config: Config): boolean {
  return showsNodes(config) && config.NODE_ENV !== 'production';
}
