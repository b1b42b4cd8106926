import { Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { CLUSTER_TRANSPORT } from './cluster-transport-id.js';

/** A server that Nest gives the handlers of controllers to. */
interface RpcTarget {
  readonly transportId?: unknown;
}

/** The microservices of the application (`app.connectMicroservice`) besides the cluster transport. */
@Injectable()
export class OtherMicroservices {
  constructor(private readonly modules: ModulesContainer) {}

  /** True if one is connected by now, listening or not. */
  get connected(): boolean {
    let connected = false;
    // Nest tells those that are connected at once.
    this.each(() => (connected = true)).unsubscribe();
    return connected;
  }

  /** Calls back for each one that is connected from now on. */
  onConnected(callback: () => void): void {
    let isNew = false;
    this.each(() => isNew && callback());
    isNew = true;
  }

  private each(callback: () => void): { unsubscribe(): void } {
    return this.modules.getRpcTargetRegistry<RpcTarget>().subscribe((target) => {
      if (target.transportId !== CLUSTER_TRANSPORT) callback();
    });
  }
}
