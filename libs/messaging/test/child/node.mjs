import 'reflect-metadata';
import { register } from 'node:module';

register('./typescript-loader.mjs', import.meta.url);
await import('./hostile-gateways.ts');
