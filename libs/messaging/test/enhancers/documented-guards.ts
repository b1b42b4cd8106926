import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { commandOf, RoomType } from '@wss/core';
import { IsString } from 'class-validator';

// The guards of docs/enhancers.md, as they stand there.

@Injectable()
export class NotBanned implements CanActivate {
  private readonly banned = new Set(['mallory']);

  canActivate(context: ExecutionContext): boolean {
    const command = commandOf(context);
    const user = command ? command.user : context.switchToHttp().getRequest<{ user: string }>().user;
    return !this.banned.has(user);
  }
}

@Injectable()
export class OwnNotes implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { room, user } = commandOf(context)!;
    return room === `notes:${user}`;
  }
}

/** Was written for HTTP, and passes what is not. */
@Injectable()
export class HttpOnly implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    return context.switchToHttp().getRequest<{ headers: { key?: string } }>().headers.key === 'k';
  }
}

class Note {
  @IsString()
  text!: string;
}

@Injectable()
@RoomType('notes', { join: OwnNotes })
export class NotesHandlers {
  @SubscribeMessage('notes.write')
  write(@MessageBody() { text }: Note): object {
    return { text };
  }
}
