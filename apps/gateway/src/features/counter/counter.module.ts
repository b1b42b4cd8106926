import { Module } from '@nestjs/common';
import { StateModule } from '@wss/state';
import { Counter } from './counter.document.js';
import { CounterHandlers } from './counter.handlers.js';

@Module({ imports: [StateModule.forFeature([Counter])], providers: [CounterHandlers] })
export class CounterModule {}
