import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HandlerExplorer } from './handler-explorer.js';
import { RoomTypes } from './room-types.js';

/** What every library needs to find decorated handlers and room types. */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [HandlerExplorer, RoomTypes],
  exports: [HandlerExplorer, RoomTypes],
})
export class HandlersModule {}
