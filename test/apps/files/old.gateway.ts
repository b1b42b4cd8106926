import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  type WsResponse,
} from '@nestjs/websockets';

interface Server {
  readonly clients: Set<{ send(data: string): void }>;
}

/** A gateway as an application has had it for years; it knows nothing of rooms. */
@WebSocketGateway({ path: '/old' })
export class OldGateway implements OnGatewayConnection {
  @WebSocketServer()
  private readonly server!: Server;
  private connected = 0;

  handleConnection(): void {
    this.connected++;
  }

  @SubscribeMessage('count')
  count(): WsResponse<number> {
    return { event: 'count', data: this.connected };
  }

  @SubscribeMessage('shout')
  shout(@MessageBody() text: string, @ConnectedSocket() socket: { send(data: string): void }): void {
    for (const client of this.server.clients) {
      if (client !== socket) client.send(JSON.stringify({ event: 'shouted', data: text }));
    }
  }
}
