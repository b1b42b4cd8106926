import { IsInt, IsString, Length, Min } from 'class-validator';

export class Join {
  @IsString()
  @Length(1, 64)
  room!: string;
}

export class Publication {
  @IsString()
  @Length(1, 64)
  room!: string;

  @IsInt()
  t!: number;

  @IsInt()
  n!: number;

  @IsString()
  @Length(1, 4_096)
  p!: string;
}

export class Question {
  @IsInt()
  @Min(0)
  id!: number;

  @IsString()
  @Length(1, 200)
  text!: string;
}

export class Key {
  @IsString()
  @Length(1, 64)
  key!: string;
}
