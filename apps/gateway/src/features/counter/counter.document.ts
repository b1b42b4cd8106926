import { IsInt } from 'class-validator';
import { RoomDocument } from '@wss/nest';

@RoomDocument('counter')
export class Counter {
  @IsInt()
  value = 0;
}
