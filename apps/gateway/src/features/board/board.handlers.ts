import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Command, CurrentCommand, Empty, InjectState, Reply, RoomType, StateRepository } from '@wss/nest';
import { Board, Card } from './board.document.js';
import {
  AddCard,
  CardAdded,
  CardMoved,
  CardRemoved,
  MoveCard,
  MovedFrom,
  NewCard,
  RemoveCard,
} from './board.messages.js';

@Injectable()
@RoomType('board', {
  presence: true,
  events: {
    'board.card-added': CardAdded,
    'board.card-moved': CardMoved,
    'board.card-removed': CardRemoved,
  },
})
export class BoardHandlers {
  constructor(@InjectState(Board) private readonly boards: StateRepository<Board>) {}

  @SubscribeMessage('board.add-card')
  @Reply(NewCard)
  add(@MessageBody() { title }: AddCard, @CurrentCommand() command: Command): Promise<NewCard> {
    const id = randomUUID();
    return this.boards.update(command, (board, room) => {
      board.cards.push(Object.assign(new Card(), { id, title }));
      room.append(CardAdded, { card: id, title });
      return { card: id };
    });
  }

  @SubscribeMessage('board.move-card')
  @Reply(MovedFrom)
  move(@MessageBody() { card, to }: MoveCard, @CurrentCommand() command: Command): Promise<MovedFrom> {
    return this.boards.update(command, (board, room) => {
      const last = board.cards.length - 1;
      const from = board.place(card, to);
      room.append(CardMoved, { card, from, to: Math.min(to, last) });
      return { from };
    });
  }

  @SubscribeMessage('board.remove-card')
  @Reply(Empty)
  remove(@MessageBody() { card }: RemoveCard, @CurrentCommand() command: Command): Promise<Empty> {
    return this.boards.update(command, (board, room) => {
      const [from] = board.take(card);
      room.append(CardRemoved, { card, from });
      return {};
    });
  }
}
