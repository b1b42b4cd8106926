import { afterEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Injectable, Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { WssClient } from '@wss/client';
import {
  Command,
  CurrentCommand,
  GatewayError,
  InjectState,
  RoomDocument,
  RoomType,
  StateRepository,
  WssModule,
} from '@wss/nest';
import { eventually, type FeatureCluster, newSeed, Random } from '@wss/testing';
import { IsInt, IsString, Length } from 'class-validator';
import WebSocket from 'ws';
import { ENGINES, startOn } from './fixtures/any-engine.js';

class Take {
  @Length(1, 9)
  square!: string;
}

class Points {
  @IsInt()
  points!: number;
}

class SquareTaken extends Take {
  @IsString()
  by!: string;
}

@RoomDocument('match')
class Board {
  squares: Record<string, string> = {};
}

@RoomDocument('match')
class Score {
  points: Record<string, number> = {};
}

@RoomType('match', { events: { 'match.taken': SquareTaken } })
@Injectable()
class MatchHandlers {
  constructor(@InjectState(Board) private readonly boards: StateRepository<Board>) {}

  @SubscribeMessage('match.take')
  take(@MessageBody() { square }: Take, @CurrentCommand() command: Command): Promise<Points> {
    const by = command.client.user;
    return this.boards.update(command, (board, room) => {
      const score = room.document(Score);
      if (Object.hasOwn(board.squares, square)) throw new GatewayError('rejected', 'it is taken');
      board.squares[square] = by;
      score.points[by] = (score.points[by] ?? 0) + 1;
      room.append(SquareTaken, { square, by });
      return { points: score.points[by] };
    });
  }
}

@Module({ imports: [WssModule.forFeature([Board, Score])], providers: [MatchHandlers] })
class MatchModule {}

it('is the handler that docs/features.md shows', () => {
  const document = readFileSync(new URL('../docs/features.md', import.meta.url), 'utf8');
  const section = document.slice(document.indexOf('## Several documents'));
  const source = readFileSync(new URL(import.meta.url), 'utf8');
  for (const [, shown] of section.slice(0, section.indexOf('\n## ')).matchAll(/```ts\n([^]*?)```/g))
    expect(source).toContain(shown);
});

/** The points of a board, as its score has to have them. */
function pointsOn({ squares }: Board): Record<string, number> {
  const points: Record<string, number> = {};
  for (const by of Object.values(squares)) points[by] = (points[by] ?? 0) + 1;
  return points;
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/** A client with live copies of both documents, which belong together whenever anybody looks at them. */
class Viewer {
  readonly client: WssClient;
  readonly seen: { board: number; score: number; events: number } = { board: 0, score: 0, events: 0 };
  readonly faults: unknown[] = [];
  private readonly room;

  constructor(url: string) {
    this.client = new WssClient(url, { WebSocket: WebSocket as never });
    this.room = this.client.room('match:1');
    this.room.on('match.taken', ({ data, seq }) => {
      this.seen.events++;
      this.look(seq);
      const { square, by } = data as SquareTaken;
      if (this.board && this.board.squares[square] !== by) this.faults.push({ seq, square });
    });
  }

  /** Opens copies, and resolves when they are shown. */
  async watch(...names: readonly ('board' | 'score')[]): Promise<void> {
    for (const name of names) {
      this.room.state(name).subscribe(() => {
        this.seen[name]++;
        this.look(name);
      });
    }
    await Promise.all(names.map((name) => this.room.state(name).ready));
  }

  get board(): Board | undefined {
    return this.room.state('board').value as Board | undefined;
  }

  get score(): Score | undefined {
    return this.room.state('score').value as Score | undefined;
  }

  private look(when: unknown): void {
    const { board, score } = this;
    if (!board || !score) return;
    const [due, shown] = [pointsOn(board), score.points];
    const isRight = Object.keys({ ...due, ...shown }).every((user) => due[user] === shown[user]);
    if (!isRight) this.faults.push({ when, due, shown });
  }
}

describe.each(ENGINES)('several documents of a room on %s', (engine) => {
  let cluster: FeatureCluster;
  const viewers: Viewer[] = [];
  afterEach(async () => {
    for (const { client } of viewers.splice(0)) client.close();
    await cluster?.stop();
  });
  const view = (random: Random): Viewer => {
    const viewer = new Viewer(`${random.pick(cluster.nodes).url}?user=viewer`);
    viewers.push(viewer);
    return viewer;
  };

  it('R16: are what all nodes write at every event, in each live copy', async () => {
    const seed = newSeed();
    const random = new Random(seed);
    cluster = await startOn(engine, { features: [MatchModule], nodes: 3 });
    const users = ['ann', 'bob', 'eve'];
    const players = await Promise.all(users.map((user, node) => cluster.join(user, 'match:1', { node })));
    const squares = Array.from({ length: 40 }, (_, square) => `${square}`);
    await view(random).watch('board', 'score');
    const late: Promise<void>[] = [];
    let taken = 0;
    const play = async (user: number): Promise<void> => {
      const own = shuffled(random, squares);
      for (const square of own) {
        const { error } = await players[user]!.request('match.take', { square });
        if (!error) taken++;
        else expect({ seed, error }).toEqual({ seed, error: expect.objectContaining({ code: 'rejected' }) });
        if (random.below(4) === 0)
          late.push(view(random).watch(...shuffled(random, ['board', 'score'] as const)));
      }
    };
    await Promise.all(users.map((_, user) => play(user)));
    await Promise.all(late);
    expect({ seed, taken }).toEqual({ seed, taken: squares.length });
    const { board, score } = (await cluster.converged(...players)) as { board: Board; score: Score };
    expect({ seed, ...score }).toEqual({ seed, points: pointsOn(board) });
    for (const viewer of viewers) {
      await eventually(() => expect([viewer.board, viewer.score]).toEqual([board, score]));
      expect({ seed, faults: viewer.faults }).toEqual({ seed, faults: [] });
    }
    expect(viewers[0]!.seen).toEqual({
      board: squares.length + 1,
      score: squares.length + 1,
      events: squares.length,
    });
  }, 120_000);
});
