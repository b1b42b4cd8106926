import { FastifyAdapter } from '@nestjs/platform-fastify';

export const newAdapter = () => new FastifyAdapter();
