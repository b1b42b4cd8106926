import './on-request.mjs';
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway } from '@nestjs/websockets';
import { withHandlers } from './handlers.mjs';

class Gateway {}
withHandlers(Gateway, 4 + Number(process.env.HANDLERS ?? 0));
WebSocketGateway()(Gateway);
class StockModule {}
Module({ providers: [Gateway] })(StockModule);

const app = await NestFactory.create(StockModule, new FastifyAdapter(), { logger: false });
app.useWebSocketAdapter(new WsAdapter(app));
await app.listen(0, '127.0.0.1');
console.log(`ready: ${await app.getUrl()}/`);
