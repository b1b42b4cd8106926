import { Injectable } from '@nestjs/common';
import { SubscribeMessage } from '@nestjs/websockets';

/** Makes a class with `count` handlers, decorated by hand because this file is run as it stands. */
export function withHandlers(base, count) {
  for (let i = 0; i < count; i++) {
    const name = `handler${i}`;
    const method = { value: () => null, writable: true, configurable: true };
    Object.defineProperty(base.prototype, name, method);
    SubscribeMessage(`bench.event-${i}`)(base.prototype, name, method);
  }
  Injectable()(base);
  return base;
}
