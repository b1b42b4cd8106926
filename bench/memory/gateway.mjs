import './on-request.mjs';
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { features } from '../../dist/apps/gateway/src/features/index.js';
import { withHandlers } from './handlers.mjs';

class More {}
class MoreModule {}
Module({ providers: [withHandlers(More, Number(process.env.HANDLERS ?? 0))] })(MoreModule);
features.push(MoreModule);
await import('../../dist/apps/gateway/src/main.js');
