import { Injectable, type CanActivate, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { GatewayError, RoomTypes } from '@wss/handlers';
import { parseRoomName } from '@wss/protocol';
import { isObservable, lastValueFrom } from 'rxjs';
import { WebSocket } from 'ws';
import type { ClientSocket } from './client-socket.js';
import { Hub } from './hub.js';
import { RoomSource } from './ports.js';
import type { RoutedCommand } from './routed-command.js';

/** How a client wants to join. */
export interface JoinOptions {
  readonly withPatch: boolean;
}

/** Joins and leaves of this node's clients. */
@Injectable()
export class RoomAccess {
  private readonly guards = new Map<Type<CanActivate>, Promise<CanActivate>>();
  private readonly joining = new Map<string, number>();

  constructor(
    private readonly hub: Hub,
    private readonly types: RoomTypes,
    private readonly source: RoomSource,
    private readonly modules: ModuleRef,
  ) {}

  /**
   * Joins the command's room at the live end and answers the command in the room's order.
   * @throws GatewayError `invalid` for a bad name, `not_found` for an undeclared type, `forbidden` by its guard.
   */
  async join(command: RoutedCommand, options: JoinOptions): Promise<void> {
    const room = command.room!;
    const { client } = command;
    await this.check(command, room);
    this.joining.set(room, (this.joining.get(room) ?? 0) + 1);
    try {
      await this.source.open(room);
      if (client.readyState !== WebSocket.OPEN) return;
      this.hub.join(room, client, options);
      client.roomState(room).joined = true;
      command.answerInOrder({ ...this.source.position(room), recovered: true, missed: 0 });
    } finally {
      this.joinEnded(room);
    }
  }

  /** Leaves a room; leaving one that was not joined is no error. */
  leave(client: ClientSocket, room: string): void {
    const state = client.roomState(room);
    if (state.joined) {
      state.joined = false;
      this.hub.leave(room, client);
      this.releaseIfEmpty(room);
    }
    client.dropRoomState(room);
  }

  private async check(command: RoutedCommand, room: string): Promise<void> {
    if (!parseRoomName(room)) {
      throw new GatewayError('invalid', 'a room is named type:key', {
        details: [
          { path: 'room', message: 'must be type:key, the key 1 to 128 characters of A-Z a-z 0-9 _ . -' },
        ],
      });
    }
    const type = this.types.of(room);
    if (!type) throw new GatewayError('not_found', 'no such kind of room');
    if (type.join && !(await this.allows(type.join, command))) {
      throw new GatewayError('forbidden', 'you may not join this room');
    }
  }

  private async allows(guardType: Type<CanActivate>, command: RoutedCommand): Promise<boolean> {
    const guard = await this.guard(guardType);
    const args = [command.client, command.data ?? {}, command, command.event];
    const context = new ExecutionContextHost(args, guardType, guard.canActivate.bind(guard));
    context.setType('ws');
    const answer = await guard.canActivate(context);
    return isObservable(answer) ? lastValueFrom(answer) : answer;
  }

  /** A guard that some module provides, else one made with its dependencies injected. */
  private guard(type: Type<CanActivate>): Promise<CanActivate> {
    let guard = this.guards.get(type);
    if (!guard) {
      guard = Promise.resolve().then(() => {
        try {
          return this.modules.get(type, { strict: false });
        } catch {
          return this.modules.create(type);
        }
      });
      this.guards.set(type, guard);
    }
    return guard;
  }

  private joinEnded(room: string): void {
    const left = this.joining.get(room)! - 1;
    if (left > 0) this.joining.set(room, left);
    else this.joining.delete(room);
    this.releaseIfEmpty(room);
  }

  private releaseIfEmpty(room: string): void {
    if (this.hub.membersOf(room) === 0 && !this.joining.has(room)) this.source.release(room);
  }
}
