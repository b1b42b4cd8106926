import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HandlerContexts } from './handler-contexts.js';
import { HandlerExplorer } from './handler-explorer.js';
import { RoomTypes } from './room-types.js';
import { SessionHooks } from './session-hooks.js';

/** Providers that every library needs to find decorated handlers and room types. */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [HandlerContexts, HandlerExplorer, RoomTypes, SessionHooks],
  exports: [HandlerContexts, HandlerExplorer, RoomTypes, SessionHooks],
})
export class HandlersModule {}
