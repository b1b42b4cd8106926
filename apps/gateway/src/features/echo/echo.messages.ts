import { IsString, MaxLength } from 'class-validator';

export class Say {
  @IsString()
  @MaxLength(4_096)
  text!: string;
}
