import type { IncomingMessage } from 'node:http';
import type { OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import { type ModuleRef } from '@nestjs/core';
import { providedOrMade } from '@wss/core';
import { Admission, type Admitted, UpgradeRefusal } from '@wss/messaging';
import type { WssAuth } from '../options/wss-options.js';
import { DevelopmentAdmission } from './development-admission.js';
import type { Origins } from './origins.js';
import { meantRefusal, provenIdentity, sameUser } from './proven-identity.js';
import { TokenAdmission } from './token-admission.js';

/** The way of admission, and the time of a handshake, ms. */
export interface AdmissionSettings {
  readonly auth: WssAuth;
  readonly handshakeMs: number;
}

/** The part of a handshake's time in which keys have to come: the refusal takes some, too. */
const KEYS_PART = 0.9;

/** The application's way of admission, behind the check of origins; what it returns is checked. */
export class OriginAdmission extends Admission implements OnModuleInit, OnModuleDestroy {
  private inner?: Admission;

  constructor(
    private readonly settings: AdmissionSettings,
    private readonly origins: Origins,
    private readonly modules: ModuleRef,
  ) {
    super();
  }

  /** @throws Error when the key of tokens is invalid, or the application's class can't be made */
  async onModuleInit(): Promise<void> {
    this.inner = await this.way();
  }

  onModuleDestroy(): void {
    if (this.inner instanceof TokenAdmission) this.inner.close();
  }

  async admit(request: IncomingMessage, url: URL): Promise<Admitted> {
    this.origins.check(request);
    const admitted = await this.asked(request, url);
    return provenIdentity(admitted, 'admit()');
  }

  override async refresh(token: string, user: string): Promise<Admitted> {
    return sameUser(provenIdentity(await this.inner!.refresh(token, user), 'refresh()'), user);
  }

  private async asked(request: IncomingMessage, url: URL): Promise<Admitted> {
    try {
      return await this.inner!.admit(request, url);
    } catch (error) {
      throw this.foreign(meantRefusal(error));
    }
  }

  /** The text of a refusal by the application's class is its own, and may hold what the client sent. */
  private foreign(error: unknown): unknown {
    const { auth } = this.settings;
    if (!(error instanceof UpgradeRefusal) || !(typeof auth === 'object' && 'use' in auth)) return error;
    const { name } = auth.use;
    const log = `${name} (the option auth) refused it; the client got the reason`;
    return new UpgradeRefusal(error.status, error.message, {
      headers: error.headers,
      log,
      kind: name,
      check: 'admission',
    });
  }

  private way(): Promise<Admission> | Admission {
    const { auth, handshakeMs } = this.settings;
    if (auth === 'none') return new DevelopmentAdmission();
    if ('jwt' in auth) return new TokenAdmission({ ...auth.jwt, keysWithinMs: handshakeMs * KEYS_PART });
    return providedOrMade(this.modules, auth.use);
  }
}
