import { BoardModule } from './board/board.module.js';
import { ChatModule } from './chat/chat.module.js';
import { CounterModule } from './counter/counter.module.js';
import { EchoModule } from './echo/echo.module.js';

/** Every feature that the gateway serves. Adding one is adding a line here. */
export const features = [EchoModule, ChatModule, CounterModule, BoardModule];
