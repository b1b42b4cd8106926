import { Type } from 'class-transformer';
import { ArrayMaxSize, IsString, Length, ValidateNested } from 'class-validator';
import { GatewayError, RoomDocument } from '@wss/nest';

export class Card {
  @IsString()
  @Length(1, 64)
  id!: string;

  @IsString()
  @Length(1, 200)
  title!: string;
}

@RoomDocument('board')
export class Board {
  @ArrayMaxSize(500)
  @ValidateNested({ each: true })
  @Type(() => Card)
  cards: Card[] = [];

  /** Moves a card and returns where it was. */
  place(id: string, to: number): number {
    const [from, card] = this.take(id);
    this.cards.splice(to, 0, card);
    return from;
  }

  /** Removes a card and returns where it was. */
  take(id: string): [from: number, card: Card] {
    const from = this.cards.findIndex((card) => card.id === id);
    if (from < 0) throw new GatewayError('not_found', 'no such card');
    return [from, this.cards.splice(from, 1)[0]!];
  }
}
