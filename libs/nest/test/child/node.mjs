import 'reflect-metadata';
import { register } from 'node:module';

register('../../../messaging/test/child/typescript-loader.mjs', import.meta.url);
await import('./failing-boot.ts');
