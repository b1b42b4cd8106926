import { IsInt, IsString, Length, MaxLength, Min } from 'class-validator';

export class AddCard {
  @IsString()
  @Length(1, 200)
  title!: string;
}

export class MoveCard {
  @IsString()
  @MaxLength(64)
  card!: string;

  /** 0-based; beyond the end means the end. */
  @IsInt()
  @Min(0)
  to!: number;
}

export class RemoveCard {
  @IsString()
  @MaxLength(64)
  card!: string;
}
