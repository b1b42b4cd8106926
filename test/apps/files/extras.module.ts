import { Module, ValidationPipe } from '@nestjs/common';
import { APP_GUARD, APP_PIPE } from '@nestjs/core';
import { HttpOnlyGuard } from './http-only.guard.js';
import { Life } from './life.js';
import { OldGateway } from './old.gateway.js';
import { StatusModule } from './status.module.js';

const guards = process.env.GUARD === 'on' ? [{ provide: APP_GUARD, useClass: HttpOnlyGuard }] : [];

/** Parts that an application of some years has. */
@Module({
  imports: [StatusModule],
  providers: [
    Life,
    OldGateway,
    ...guards,
    {
      provide: APP_PIPE,
      useFactory: () => new ValidationPipe({ whitelist: true }),
    },
  ],
})
export class ExtrasModule {}
