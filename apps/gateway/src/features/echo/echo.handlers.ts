import { Injectable } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Say } from './echo.messages.js';

@Injectable()
export class EchoHandlers {
  @SubscribeMessage('echo.say')
  say(@MessageBody() { text }: Say): Say {
    return { text };
  }
}
