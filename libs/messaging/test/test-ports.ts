import type { ModuleMetadata } from '@nestjs/common';
import {
  bindClass,
  bindValue,
  type ClientSession,
  type Command,
  CommandRecorder,
  type RecordedAnswer,
  HandlersModule,
  type OpenedSession,
  type PresencePage,
  type RoomHold,
  type RoomStart,
  type StartRequest,
  type UserCharge,
  UserRates,
} from '@wss/core';
import {
  Admission,
  type Admitted,
  ClientListener,
  type HistoryPage,
  HistorySource,
  LaneNumbers,
  MESSAGING_PROVIDERS,
  NodeIdentity,
  PeerContracts,
  PresenceSource,
  RoomSource,
  SessionSource,
  UpgradeRefusal,
} from '../src/index.js';

/** Rooms in which nothing ever happens. */
export class EmptyRooms extends RoomSource {
  protected readonly epoch: string = 'e';

  hold(): RoomHold {
    return {
      begin: (request, complete) => this.begin('', request, complete),
      current: () => undefined,
      release: () => undefined,
    };
  }

  begin(_room: string, _request: StartRequest, complete: (start: RoomStart) => void): Promise<void> {
    const { epoch } = this;
    complete({ position: { epoch, seq: 0 }, recovered: true, missed: 0, entries: [], more: false });
    return Promise.resolve();
  }
}

class EmptyPresence extends PresenceSource {
  entered(): void {}
  left(): void {}
  cutOff(): void {}
  page(): Promise<PresencePage> {
    return Promise.resolve({ version: 0, count: 0, users: [] });
  }
}

class NoHistory extends HistorySource {
  page(): Promise<HistoryPage> {
    return Promise.resolve({ position: { epoch: 'e', seq: 0 }, entries: [], oldest: 1 });
  }
}

/** Admits every user but `?user=nobody`. */
class OpenAdmission extends Admission {
  admit(_request: unknown, url: URL): Admitted {
    const user = url.searchParams.get('user') ?? 'guest';
    if (user === 'nobody') throw new UpgradeRefusal(401, 'nobody may connect');
    return { user };
  }

  override refresh(_token: string, user: string): Admitted {
    return { user };
  }
}

class NoListener extends ClientListener {
  userCame(): void {}
  clientCame(): void {}
  userLeft(): void {}
  sessionResumed(): void {}
}

/** Sessions that end with their connection. */
class ShortSessions extends SessionSource {
  private count = 0;

  open(user: string): Promise<OpenedSession> {
    const session: ClientSession = {
      id: `s${++this.count}`,
      user,
      generation: 1,
      endsAt: Infinity,
      hasLane: () => false,
      provesLoss: () => true,
    };
    return Promise.resolve({ session, token: 't', resumed: false, rooms: [] });
  }

  joined(): void {}
  left(): void {}
  disconnected(): void {}
  revoked(): void {}
  memberSince(): Promise<string> {
    return Promise.resolve('');
  }
  prepareLane(): Promise<void> {
    return Promise.resolve();
  }
}

class NoNumbers extends LaneNumbers {
  numbersOf(_room: string, sessions: readonly string[]): Promise<undefined[]> {
    return Promise.resolve(sessions.map(() => undefined));
  }

  numberIn(): Promise<{ epoch: string }> {
    return Promise.resolve({ epoch: 'e' });
  }
}

/** Takes everything, and keeps nothing. */
export class NoRecords extends CommandRecorder {
  record(_command: Command, _answer: RecordedAnswer): Promise<void> {
    return Promise.resolve();
  }
  skip(): Promise<void> {
    return Promise.resolve();
  }
  find(): Promise<void> {
    return Promise.resolve();
  }
  charge(): Promise<void> {
    return Promise.resolve();
  }
  waitOf(): number {
    return 0;
  }
  noteMissing(): void {}
}

class NoUserRates extends UserRates {
  take(): UserCharge {
    return { refund: () => undefined };
  }
}

class NoPeers extends PeerContracts {
  knows(): Promise<boolean> {
    return Promise.resolve(false);
  }
  knowsRooms(): Promise<boolean> {
    return Promise.resolve(false);
  }
}

/** The command router with its dependencies, without an engine. */
export function routerModule(metadata: ModuleMetadata): ModuleMetadata {
  return {
    ...metadata,
    imports: [HandlersModule, ...(metadata.imports ?? [])],
    providers: [
      ...MESSAGING_PROVIDERS,
      bindValue(NodeIdentity, { nodeId: 'n1' }),
      bindClass(RoomSource, EmptyRooms),
      bindClass(PresenceSource, EmptyPresence),
      bindClass(HistorySource, NoHistory),
      bindClass(Admission, OpenAdmission),
      bindClass(ClientListener, NoListener),
      bindClass(SessionSource, ShortSessions),
      bindClass(LaneNumbers, NoNumbers),
      bindClass(CommandRecorder, NoRecords),
      bindClass(UserRates, NoUserRates),
      bindClass(PeerContracts, NoPeers),
      ...(metadata.providers ?? []),
    ],
  };
}
