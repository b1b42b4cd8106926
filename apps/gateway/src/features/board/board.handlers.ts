import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Command, CurrentCommand, RoomType } from '@wss/handlers';
import { InjectState, StateRepository } from '@wss/state';
import { Board, Card } from './board.document.js';
import { AddCard, MoveCard, RemoveCard } from './board.messages.js';

@Injectable()
@RoomType('board', {})
export class BoardHandlers {
  constructor(@InjectState(Board) private readonly boards: StateRepository<Board>) {}

  @SubscribeMessage('board.add-card')
  add(@MessageBody() { title }: AddCard, @CurrentCommand() command: Command): Promise<{ card: string }> {
    const id = randomUUID();
    return this.boards.update(command, (board, room) => {
      board.cards.push(Object.assign(new Card(), { id, title }));
      room.append('board.card-added', { card: id, title });
      return { card: id };
    });
  }

  @SubscribeMessage('board.move-card')
  move(@MessageBody() { card, to }: MoveCard, @CurrentCommand() command: Command): Promise<{ from: number }> {
    return this.boards.update(command, (board, room) => {
      const last = board.cards.length - 1;
      const from = board.place(card, to);
      room.append('board.card-moved', { card, from, to: Math.min(to, last) });
      return { from };
    });
  }

  @SubscribeMessage('board.remove-card')
  remove(@MessageBody() { card }: RemoveCard, @CurrentCommand() command: Command): Promise<object> {
    return this.boards.update(command, (board, room) => {
      const [from] = board.take(card);
      room.append('board.card-removed', { card, from });
      return {};
    });
  }
}
