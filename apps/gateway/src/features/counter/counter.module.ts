import { Module } from '@nestjs/common';
import { WssModule } from '@wss/nest';
import { Counter } from './counter.document.js';
import { CounterHandlers } from './counter.handlers.js';

@Module({ imports: [WssModule.forFeature([Counter])], providers: [CounterHandlers] })
export class CounterModule {}
