import { Module } from '@nestjs/common';
import { StateModule } from '@wss/state';
import { Board } from './board.document.js';
import { BoardHandlers } from './board.handlers.js';

@Module({ imports: [StateModule.forFeature([Board])], providers: [BoardHandlers] })
export class BoardModule {}
