import { Module } from '@nestjs/common';
import { ChatHandlers } from './chat.handlers.js';

@Module({ providers: [ChatHandlers] })
export class ChatModule {}
