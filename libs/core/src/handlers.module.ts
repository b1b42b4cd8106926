import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HandlerContexts } from './commands/handler-contexts.js';
import { HandlerExplorer } from './commands/handler-explorer.js';
import { RoomTypes } from './rooms/room-types.js';
import { SessionHooks } from './commands/session-hooks.js';

/** Providers that every library needs to find decorated handlers and room types. */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [HandlerContexts, HandlerExplorer, RoomTypes, SessionHooks],
  exports: [HandlerContexts, HandlerExplorer, RoomTypes, SessionHooks],
})
export class HandlersModule {}
