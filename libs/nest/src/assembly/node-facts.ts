import { Injectable } from '@nestjs/common';
import { RoomTypeRegistry } from '@wss/core';
import { CommandRouter, NodeIdentity } from '@wss/messaging';
import { Engine } from '../engine/engine.js';
import { WssSettings } from '../options/wss-settings.js';

/**
 * Facts about a node, e.g. for a line at the end of its start: inject them, or ask `app.get(NodeFacts)`. None is
 * secret.
 */
@Injectable()
export class NodeFacts {
  constructor(
    private readonly identity: NodeIdentity,
    private readonly settings: WssSettings,
    private readonly opened: Engine,
    private readonly router: CommandRouter,
    private readonly types: RoomTypeRegistry,
  ) {}

  /** This incarnation of the node; the ids of its clients begin with it. */
  get nodeId(): string {
    return this.identity.nodeId;
  }

  /** Where shared data lives, in words for people: the kind of the engine, and its address without user and password. */
  get engine(): string {
    return this.opened.description;
  }

  /** Path of the WebSocket. */
  get path(): string {
    return this.settings.path;
  }

  /** The kinds of rooms that this node serves, sorted. */
  get roomTypes(): readonly string[] {
    return [...this.types.all().keys()].sort();
  }

  /** The events that clients may send, sorted; known once the application is initialized. Those of the system are left out. */
  get commands(): readonly string[] {
    return this.router.events.filter((event) => !event.startsWith('$')).sort();
  }
}
