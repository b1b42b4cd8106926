import { afterEach, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { SubscribeMessage } from '@nestjs/websockets';
import { Reply, RoomType } from '@wss/nest';
import { FeatureCluster, TestClient } from '@wss/nest/testing';
import { SignJWT } from 'jose';

@Injectable()
@RoomType('chat', {})
class ChatHandlers {
  @SubscribeMessage('chat.send')
  @Reply(null)
  send(): void {}
}

@Module({ providers: [ChatHandlers] })
class ChatModule {}

const SECRET = 'a secret of the test, long enough';
let cluster: FeatureCluster | undefined;
afterEach(() => cluster?.stop());

const COMMANDS = [
  { event: 'chat.sned', near: 'unknown_event: no handler for this event; did you mean chat.send?' },
  { event: 'chatSend', near: 'unknown_event: no handler for this event; did you mean chat.send?' },
  { event: '$jion', room: 'chat:a', near: 'unknown_event: no handler for this event; did you mean $join?' },
  { event: '$join', room: 'chats:a', near: 'not_found: no such kind of room; did you mean chat?' },
  { event: 'chat.send', room: 'chta:a', near: 'not_found: no such kind of room; did you mean chat?' },
];
const OTHERS = [
  {
    event: 'poll.vote',
    says: 'unknown_event: no handler for this event; compare its name with the contract',
  },
  {
    event: 'chat.send',
    room: 'chat:a',
    says: 'forbidden: you are not a member of this room; send "$join" for it first',
  },
];

it.each([true, false])('errors name the remedy, and near names in development alone: %s', async (isOpen) => {
  const options = isOpen ? {} : { auth: { jwt: { secret: SECRET } } };
  cluster = await FeatureCluster.start({ features: [ChatModule], nodes: 1, options });
  const token = await new SignJWT({ sub: 'ann' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(Buffer.from(SECRET));
  const client = await TestClient.connect(
    cluster.nodes[0]!.url,
    isOpen ? { user: 'ann' } : { headers: { authorization: `Bearer ${token}` } },
  );
  const said = async (event: string, room?: string): Promise<string> => {
    const { error } = await client.request(event, {}, room === undefined ? {} : { room });
    return `${error!.code}: ${error!.message}`;
  };
  for (const { event, room, near } of COMMANDS) {
    const text = await said(event, room);
    if (isOpen) expect(text).toBe(near);
    else expect(text).toMatch(/^(unknown_event|not_found): .*; compare .* with the contract$/);
    if (room === undefined) expect(text).not.toContain(event);
  }
  for (const { event, room, says } of OTHERS) expect(await said(event, room)).toBe(says);
});
