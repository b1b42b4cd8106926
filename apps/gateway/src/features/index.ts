import { BoardModule } from './board/board.module.js';
import { ChatModule } from './chat/chat.module.js';
import { CounterModule } from './counter/counter.module.js';
import { EchoModule } from './echo/echo.module.js';

/** All features that the gateway serves. Add a line to add one. */
export const features = [EchoModule, ChatModule, CounterModule, BoardModule];
