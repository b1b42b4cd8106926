import { IsInt } from 'class-validator';
import { RoomDocument } from '@wss/handlers';

@RoomDocument('counter')
export class Counter {
  @IsInt()
  value = 0;
}
