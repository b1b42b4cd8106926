import { HttpException, IntrinsicException, type Logger } from '@nestjs/common';
import { WsException } from '@nestjs/websockets';
import { FrameError, kindOf } from '@wss/protocol';

/** The kinds of global enhancers that run on commands. */
export type EnhancerKind = 'guard' | 'interceptor' | 'pipe';

/** The remedy that every line names. */
const REMEDY =
  'if it is written for HTTP, let it pass where context.getType() is not "http", or set globalEnhancers: false';

/** Names each class of global enhancers whose fault kept a command from being done, once in the log. */
export class EnhancerFaults {
  private readonly named = new Set<unknown>();

  constructor(private readonly logger: Logger) {}

  /** Notes that it threw. An error that is meant for the client, from an enhancer that knows of commands, does not count. */
  threw(enhancer: object, kind: EnhancerKind, { error, askedForHttp = false }: Thrown): void {
    if (isMeant(error) && !askedForHttp) return;
    const how = askedForHttp ? 'asked for an HTTP request and failed' : 'failed';
    this.name(enhancer, kind, `${how} on a command with ${kindOf(error)}`);
  }

  /** Notes that it refused a command after it had asked for an HTTP request, which there is none of. */
  refused(enhancer: object, kind: EnhancerKind): void {
    this.name(enhancer, kind, 'asked for an HTTP request and refused a command');
  }

  private name(enhancer: object, kind: EnhancerKind, what: string): void {
    const type = enhancer.constructor;
    const identity = type === Object ? enhancer : type;
    if (this.named.has(identity)) return;
    this.named.add(identity);
    const subject = type === Object ? `a global ${kind}` : `${type.name}, a global ${kind},`;
    this.logger.error(`${subject} ${what}; ${REMEDY}`);
  }
}

/** A failure of an enhancer. */
export interface Thrown {
  readonly error: unknown;
  /** True if it asked for an HTTP request before. */
  readonly askedForHttp?: boolean;
}

/** True for an error whose class says that it is meant for whoever asked. */
function isMeant(error: unknown): boolean {
  return (
    error instanceof HttpException ||
    error instanceof IntrinsicException ||
    error instanceof WsException ||
    error instanceof FrameError
  );
}
