import { Injectable } from '@nestjs/common';
import { PATTERN_EXTRAS_METADATA, TRANSPORT_METADATA } from '@nestjs/microservices/constants.js';
import type { DecoratedMethod } from '@wss/core';
import { CLUSTER_TRANSPORT } from './cluster-transport-id.js';
import { isGroup } from './job-group-name.js';
import { OtherMicroservices } from './other-microservices.js';

/** Decides which of an application's `@EventPattern` and `@MessagePattern` methods hear the cluster. */
@Injectable()
export class PatternOwner {
  constructor(private readonly others: OtherMicroservices) {}

  /**
   * Returns the judge of methods as of now. Methods that name another transport are that transport's. Of the rest, these
   * hear the cluster: methods of plain providers, which no microservice of Nest calls; methods of controllers that name
   * {@link CLUSTER_TRANSPORT} or a group of jobs; and all other methods of controllers while no other microservice is
   * connected to the application, since Nest gives those to every microservice.
   */
  judge(): (method: DecoratedMethod) => boolean {
    const { connected } = this.others;
    return (method) => {
      const transport = transportOf(method);
      if (transport !== undefined) return transport === CLUSTER_TRANSPORT;
      return !method.controller || !connected || isGroup(groupNameOf(method));
    };
  }

  /** Calls back when another microservice is connected too late to count. */
  onTooLate(callback: () => void): void {
    this.others.onConnected(callback);
  }
}

/** True if the method hears the cluster only as long as no other microservice is connected. */
export function isUnnamed(method: DecoratedMethod): boolean {
  return method.controller && transportOf(method) === undefined && groupNameOf(method) === undefined;
}

/** The name after `group` in the options of the decorator, good or not. */
export function groupNameOf({ callback }: DecoratedMethod): unknown {
  const extras = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, callback) as { group?: unknown } | undefined;
  return extras?.group;
}

function transportOf({ callback }: DecoratedMethod): unknown {
  return Reflect.getMetadata(TRANSPORT_METADATA, callback) as unknown;
}
