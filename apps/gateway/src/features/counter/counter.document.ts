import { IsInt } from 'class-validator';
import { RoomDocument } from '@wss/core';

@RoomDocument('counter')
export class Counter {
  @IsInt()
  value = 0;
}
