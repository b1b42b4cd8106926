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

/** Reply to `board.add-card`: the id that the server made. */
export class NewCard {
  @IsString()
  @MaxLength(64)
  card!: string;
}

/** Reply to `board.move-card`: where the card was, 0-based. */
export class MovedFrom {
  @IsInt()
  @Min(0)
  from!: number;
}

/** Log event `board.card-added`. */
export class CardAdded extends NewCard {
  @IsString()
  @Length(1, 200)
  title!: string;
}

/** Log event `board.card-removed`. */
export class CardRemoved {
  @IsString()
  @MaxLength(64)
  card!: string;

  /** Where it was, 0-based. */
  @IsInt()
  @Min(0)
  from!: number;
}

/** Log event `board.card-moved`. */
export class CardMoved extends CardRemoved {
  /** Where it is now, 0-based. */
  @IsInt()
  @Min(0)
  to!: number;
}
