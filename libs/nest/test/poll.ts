import { Body, Controller, Get, Injectable, Module, Param, Post } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import {
  Cluster,
  Command,
  CurrentCommand,
  InjectState,
  PlainObject,
  Presence,
  Reply,
  RoomDocument,
  Rooms,
  RoomType,
  StateRepository,
  WssModule,
} from '@wss/nest';
import { IsInt, IsObject, IsString, Length } from 'class-validator';

export class Vote {
  @IsString()
  @Length(1, 40)
  option!: string;
}

export class Voted extends Vote {
  @IsString()
  user!: string;
}

export class Count {
  @IsInt()
  votes!: number;
}

@RoomDocument('poll')
export class Poll {
  @IsObject()
  votes: Record<string, string> = {};
}

@Injectable()
@RoomType('poll', { presence: true, events: { 'poll.voted': Voted } })
export class PollHandlers {
  constructor(@InjectState(Poll) private readonly polls: StateRepository<Poll>) {}

  @SubscribeMessage('poll.vote')
  @Reply(Count)
  vote(@MessageBody() { option }: Vote, @CurrentCommand() command: Command): Promise<Count> {
    return this.polls.update(command, (poll, room) => {
      poll.votes[command.user] = option;
      room.append(Voted, { user: command.user, option });
      return { votes: Object.keys(poll.votes).length };
    });
  }
}

/** Answers with what admission proved of the sender. */
@Injectable()
export class WhoHandlers {
  @SubscribeMessage('who.am-i')
  @Reply(PlainObject)
  tell(@CurrentCommand() { client, user }: Command): Record<string, unknown> {
    return { user, claims: client.claims, frozen: Object.isFrozen(client.claims) };
  }
}

/** REST beside the WebSocket: writes a room without a command, and asks the cluster. */
@Controller('polls')
export class PollController {
  constructor(
    @InjectState(Poll) private readonly polls: StateRepository<Poll>,
    private readonly rooms: Rooms,
    private readonly presence: Presence,
    private readonly cluster: Cluster,
  ) {}

  @Get('nodes')
  async nodes(): Promise<string[]> {
    return (await this.cluster.nodes()).map(({ nodeId }) => nodeId);
  }

  @Get(':id')
  async read(@Param('id') id: string): Promise<object> {
    const room = `poll:${id}`;
    const { value } = await this.polls.read({ room });
    const { users } = await this.presence.of(room).list();
    return { votes: value.votes, members: users.map(({ user }) => user) };
  }

  @Post(':id/votes')
  vote(@Param('id') id: string, @Body() { user, option }: Voted): Promise<Count> {
    return this.polls.update({ room: `poll:${id}` }, (poll, room) => {
      poll.votes[user] = option;
      room.append(Voted, { user, option });
      return { votes: Object.keys(poll.votes).length };
    });
  }

  @Post(':id/notes')
  note(@Param('id') id: string, @Body() { user, option }: Voted): Promise<object> {
    return this.rooms.to(`poll:${id}`).append('by node', Voted, { user, option });
  }
}

@Module({
  imports: [WssModule.forFeature([Poll])],
  controllers: [PollController],
  providers: [PollHandlers, WhoHandlers],
})
export class PollModule {}
