import { expect } from '@jest/globals';
import { type GatewayNode, TestClient } from '@wss/testing';

/** Two honest clients of one room, beside the hostile ones. */
export class Witness {
  private said = 0;

  private constructor(
    private readonly speaker: TestClient,
    private readonly hearer: TestClient,
    private readonly room: string,
  ) {}

  static async connect(node: GatewayNode, room: string): Promise<Witness> {
    const speaker = await TestClient.connect(node.url, { user: 'speaker' });
    const hearer = await TestClient.connect(node.url, { user: 'hearer' });
    for (const client of [speaker, hearer]) await client.request('$join', {}, { room });
    return new Witness(speaker, hearer, room);
  }

  /** Speaks and asks so often, and hears all of it in order. */
  async goOn(times: number): Promise<void> {
    const { speaker, hearer, room } = this;
    for (let i = 0; i < times; i++) {
      const seq = ++this.said;
      await speaker.request('chat.send', { text: `${seq}` }, { room, withinMs: 20_000 });
      const heard = await hearer.event('chat.sent', 20_000);
      expect(heard).toMatchObject({ room, seq, data: { text: `${seq}` } });
      const answer = await speaker.request('echo.say', { text: 'x' }, { withinMs: 20_000 });
      expect(answer.data).toEqual({ text: 'x' });
    }
  }

  end(): void {
    for (const client of [this.speaker, this.hearer]) client.socket.terminate();
  }
}
