import { get } from 'node:http';
import { connect } from 'node:net';

/** A node that does not answer within this time stands still. */
const ANSWER_MS = 1_000;
const LOOK_AGAIN_MS = 200;

/** One node as a front sees it. */
export class FrontTarget {
  /** Connections that are led to it, or are on their way. */
  connections = 0;
  /** False from a failed connection, or an answer that it takes no clients, until it answers that it does. */
  isUp = true;

  constructor(port, host = '127.0.0.1') {
    this.port = port;
    this.host = host;
  }

  /**
   * Connects to the node if it takes clients now: it is asked after this call, so one that was told to stop before
   * gets no connection.
   * @returns the socket; undefined if it takes none
   */
  async connect() {
    this.connections++;
    const socket = (await this.isReady()) ? await this.open() : undefined;
    // Forgotten meanwhile, it is about to stop; nothing has been sent to it.
    if (socket && this.onUp) return socket.once('close', () => this.connections--);
    socket?.destroy();
    this.connections--;
    this.wentDown();
    return undefined;
  }

  /** Calls `onUp` whenever the node takes clients again, until {@link forget}. */
  watch(onUp) {
    this.onUp = onUp;
  }

  forget() {
    this.onUp = undefined;
    this.isUp = false;
    clearTimeout(this.timer);
  }

  wentDown() {
    if (!this.isUp || !this.onUp) return;
    this.isUp = false;
    this.lookAgain();
  }

  lookAgain() {
    this.timer = setTimeout(async () => {
      const isReady = await this.isReady();
      if (!this.onUp) return;
      this.isUp = isReady;
      if (isReady) this.onUp();
      else this.lookAgain();
    }, LOOK_AGAIN_MS);
  }

  /** Many that ask at the same time share one question, which is put after all of them have asked. */
  isReady() {
    this.next ??= Promise.resolve(this.present).then(() => {
      this.next = undefined;
      return (this.present = this.ask());
    });
    return this.next;
  }

  ask() {
    const { host, port } = this;
    return new Promise((resolve) => {
      const request = get({ host, port, path: '/health/ready', agent: false, timeout: ANSWER_MS });
      request.once('response', (response) => {
        resolve(response.statusCode === 200);
        response.resume();
      });
      request.once('timeout', () => request.destroy());
      request.once('error', () => resolve(false));
      request.once('close', () => resolve(false));
    });
  }

  open() {
    const { host, port } = this;
    return new Promise((resolve) => {
      const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, keepAlive: true });
      const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
      const settle = (opened) => {
        clearTimeout(timer);
        resolve(opened);
      };
      socket.once('connect', () => settle(socket));
      socket.once('close', () => settle(undefined));
      // The close that follows tells everything.
      socket.on('error', () => undefined);
    });
  }
}
