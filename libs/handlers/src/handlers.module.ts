import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HandlerContexts } from './handler-contexts.js';
import { HandlerExplorer } from './handler-explorer.js';
import { RoomTypes } from './room-types.js';

/** What every library needs to find decorated handlers and room types. */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [HandlerContexts, HandlerExplorer, RoomTypes],
  exports: [HandlerContexts, HandlerExplorer, RoomTypes],
})
export class HandlersModule {}
