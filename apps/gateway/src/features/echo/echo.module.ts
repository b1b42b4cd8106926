import { Module } from '@nestjs/common';
import { EchoHandlers } from './echo.handlers.js';

@Module({ providers: [EchoHandlers] })
export class EchoModule {}
