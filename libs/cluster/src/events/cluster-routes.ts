import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { kindOf, LogGate, stackOf } from '@wss/protocol';
import { EmptyError } from 'rxjs';
import { type Answered, NO_HANDLER, toHandlerError, toPlain } from './cluster-answer.js';
import type { ClusterContext } from './cluster-context.js';
import { type ClusterHandler, ClusterHandlers, type ClusterTable } from './cluster-handlers.js';

/** Takes cluster events and calls to their handlers on this node: one look-up in a table that was built at boot. */
@Injectable()
export class ClusterRoutes implements OnModuleInit {
  private readonly logger = new Logger(ClusterRoutes.name);
  private readonly failures = new LogGate((line) => this.logger.error(line));
  private readonly refusals = new LogGate((line) => this.logger.warn(line));
  private built?: ClusterTable;

  constructor(private readonly handlers: ClusterHandlers) {}

  /** @throws Error that says what to do when the handlers can't work together. */
  onModuleInit(): void {
    this.prepare();
  }

  /** Builds the table; a microservice that listens before the application is initialized needs it earlier. */
  prepare(): ClusterTable {
    return (this.built ??= this.handlers.build());
  }

  /**
   * Starts every handler of an event, at once and in the order of events; resolves when all are done. Never rejects:
   * an event has no caller, so failures are logged.
   */
  async dispatch(data: unknown, context: ClusterContext): Promise<void> {
    const handlers = this.prepare().events.get(context.getPattern()) ?? [];
    await Promise.all(handlers.map((handler) => this.handle(handler, data, context)));
  }

  /** Runs the handler of a call; never rejects. Data has the form in which it would arrive from another node. */
  async answer(data: unknown, context: ClusterContext): Promise<Answered> {
    const handler = this.prepare().calls.get(context.getPattern());
    if (!handler) return NO_HANDLER;
    try {
      return { data: toPlain(await handler.handle(data, context)) };
    } catch (error) {
      if (error instanceof EmptyError) return { data: null };
      return { error: this.report(handler, context, error) };
    }
  }

  /**
   * Runs the handler of a job.
   * @throws the handler's error, or one that says that no handler exists
   */
  async runJob(group: string, data: unknown, context: ClusterContext): Promise<void> {
    const handler = this.prepare().jobs.get(group)?.get(context.getPattern());
    if (!handler) throw new Error('this node has no handler for it');
    try {
      await handler.handle(data, context);
    } catch (error) {
      if (error instanceof EmptyError) return;
      this.report(handler, context, error);
      throw error;
    }
  }

  private async handle(handler: ClusterHandler, data: unknown, context: ClusterContext): Promise<void> {
    try {
      await handler.handle(data, context);
    } catch (error) {
      if (error instanceof EmptyError) return;
      const { code, message } = this.report(handler, context, error);
      if (code !== 'internal') {
        const line = `${handler.name} refused an event of ${context.getNodeId()}: ${code}, ${message}`;
        this.refusals.report(`${handler.name} ${code}`, line);
      }
    }
  }

  /** Returns the part of a failure that other nodes may know, and logs the rest. */
  private report({ name }: ClusterHandler, context: ClusterContext, thrown: unknown): Reported {
    const { code, message, cause } = toHandlerError(thrown);
    if (code === 'internal') {
      const failure = cause ?? thrown;
      const line = `${name} failed, asked by ${context.getNodeId()}: ${stackOf(failure)}`;
      this.failures.report(`${name} ${kindOf(failure)}`, line);
    }
    return { code, message };
  }
}

interface Reported {
  readonly code: string;
  readonly message: string;
}
