import { type CanActivate, type ExecutionContext, Injectable, Module } from '@nestjs/common';
import { SubscribeMessage } from '@nestjs/websockets';
import { type Appended, Rooms } from '@wss/cluster';
import { type Client, type Command, CurrentCommand, RoomType } from '@wss/core';

/** Refuses, after a moment, users whose name ends with an odd digit. */
@Injectable()
class EvenOnly implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve));
    return /[02468]$/.test(context.switchToWs().getClient<Client>().user);
  }
}

@Injectable()
@RoomType('den', { presence: true })
export class DenHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('den.mark')
  mark(@CurrentCommand() command: Command): Promise<Appended> {
    return this.rooms.to(command.room!).append(command, 'den.marked', {});
  }

  @SubscribeMessage('den.look')
  look(): object {
    return {};
  }

  @SubscribeMessage('den.fall')
  fall(): never {
    throw new Error('a bug of the feature');
  }
}

@Injectable()
@RoomType('vault', { join: EvenOnly, presence: true })
class Vault {}

@Injectable()
@RoomType('hall', { openToAll: true, idleTtlMs: 60_000 })
class Hall {
  @SubscribeMessage('hall.look')
  look(): object {
    return {};
  }
}

@Module({ providers: [EvenOnly, DenHandlers, Vault, Hall] })
export class DenModule {}

/** Rooms in which something is committed; what that leaves stays. */
export const KEPT_ROOMS: readonly string[] = ['den:kept0', 'den:kept1', 'den:kept2'];
