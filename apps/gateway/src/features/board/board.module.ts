import { Module } from '@nestjs/common';
import { WssModule } from '@wss/nest';
import { Board } from './board.document.js';
import { BoardHandlers } from './board.handlers.js';

@Module({ imports: [WssModule.forFeature([Board])], providers: [BoardHandlers] })
export class BoardModule {}
