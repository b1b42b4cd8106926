import { type AddressInfo } from 'node:net';
import { Injectable, Module, Scope, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { ClusterWsAdapter } from '../../src/index.js';

// An application as anybody would write it, with gateways that would end its process under Nest's own adapter.

const fail = (): never => {
  throw new Error('a hook failed');
};
const failLater = async (): Promise<never> => {
  await Promise.resolve();
  return fail();
};

function failing(path: string, hook: () => unknown, scope = Scope.DEFAULT): Type<object> {
  @Injectable({ scope })
  @WebSocketGateway({ path })
  class FailingGateway {
    handleConnection(): unknown {
      return hook();
    }
  }
  return FailingGateway;
}

function leaving(path: string, hook: () => unknown): Type<object> {
  @WebSocketGateway({ path })
  class LeavingGateway {
    handleDisconnect(): unknown {
      return hook();
    }
  }
  return LeavingGateway;
}

@Injectable({ scope: Scope.REQUEST })
@WebSocketGateway({ path: '/unbuildable' })
class UnbuildableGateway {
  constructor() {
    fail();
  }
}

@WebSocketGateway()
class EchoGateway {
  @SubscribeMessage('echo')
  echo(@MessageBody() data: unknown): object {
    return { event: 'echo', data };
  }

  @SubscribeMessage('bigint')
  bigint(): object {
    return { event: 'bigint', data: 1n };
  }
}

function another(): Type<object> {
  @WebSocketGateway()
  class AnotherGateway {
    handleConnection(): void {}
    handleDisconnect(): void {}
    @SubscribeMessage('another')
    another(): void {}
  }
  return AnotherGateway;
}

@Module({
  providers: [
    failing('/throws', fail),
    failing('/rejects', failLater),
    failing('/scoped-throws', fail, Scope.REQUEST),
    failing('/scoped-rejects', failLater, Scope.REQUEST),
    leaving('/leaving-throws', fail),
    leaving('/leaving-rejects', failLater),
    UnbuildableGateway,
    EchoGateway,
    ...Array.from({ length: 12 }, another),
  ],
})
class HostileModule {}

const app = await NestFactory.create(HostileModule, new FastifyAdapter());
app.useWebSocketAdapter(new ClusterWsAdapter(app));
await app.listen(0, '127.0.0.1');
process.once('SIGTERM', () => void app.close());
const { port } = app.getHttpServer().address() as AddressInfo;
console.log(`wss node hostile is ready: http://127.0.0.1:${port}/`);
