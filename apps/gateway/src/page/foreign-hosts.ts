import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { isReboundHost } from '@wss/nest';
import { Config } from '../config.js';
import type { FastifyAdapter } from '@nestjs/platform-fastify';

const REFUSAL = {
  statusCode: 403,
  message: 'this name of the node is not trusted; use localhost, or add its origin to ALLOWED_ORIGINS',
};

/**
 * Refuses pages and the contract under a foreign name on a connection within this machine, while everybody may connect:
 * another site can let its name lead here (DNS rebinding), and its pages may then read what this node answers. Health is
 * for probes, which name the node as they like.
 */
@Injectable()
export class ForeignHosts implements OnModuleInit {
  constructor(
    private readonly config: Config,
    private readonly adapters: HttpAdapterHost<FastifyAdapter>,
  ) {}

  onModuleInit(): void {
    if (this.config.AUTH !== 'none') return;
    const { httpAdapter } = this.adapters;
    httpAdapter.getInstance().addHook('onRequest', async ({ raw }, reply) => {
      if (raw.url?.startsWith('/health/') || !isReboundHost(raw) || this.isAllowed(raw.headers.host)) return;
      await reply.code(REFUSAL.statusCode).send(REFUSAL);
    });
  }

  private isAllowed(host: string | undefined): boolean {
    const { ALLOWED_ORIGINS: allowed } = this.config;
    if (!Array.isArray(allowed)) return false;
    return allowed.some((origin) => origin === '*' || origin.replace(/^https?:\/\//, '') === host);
  }
}
