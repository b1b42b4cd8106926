import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { SubscribeMessage } from '@nestjs/websockets';
import { CurrentCommand, RoomType } from '../../dist/libs/core/src/index.js';
import { Rooms } from '../../dist/libs/cluster/src/index.js';
import { FeatureNode } from '../../dist/libs/testing/src/features/feature-node.js';

/** A kind of room whose members send each other the time; decorated by hand because this file is run as it stands. */
function roomsOfKind(kind, presence) {
  class Handlers {
    constructor(rooms) {
      this.rooms = rooms;
    }

    async say(command) {
      await this.rooms.to(command.room).append(command, 'bench.said', { at: Date.now() });
    }
  }
  Reflect.defineMetadata('design:paramtypes', [Rooms], Handlers);
  Injectable()(Handlers);
  RoomType(kind, { presence })(Handlers);
  CurrentCommand()(Handlers.prototype, 'say', 0);
  SubscribeMessage(`${kind}.say`)(
    Handlers.prototype,
    'say',
    Object.getOwnPropertyDescriptor(Handlers.prototype, 'say'),
  );
  return Handlers;
}

class PresenceBench {}
Module({ providers: [roomsOfKind('plain', false), roomsOfKind('shown', true)] })(PresenceBench);

const nodeId = `bench${process.pid}`;
const node = await FeatureNode.start(
  nodeId,
  { redis: { url: process.env.REDIS_SERVER } },
  {
    features: [PresenceBench],
  },
);
process.once('SIGTERM', () => void node.stop().then(() => process.exit(0)));
process.stdout.write(`wss node ${nodeId} is ready: ${node.url.replace('ws:', 'http:')}\n`);
