import type { Command } from './command.js';

/**
 * Keeps the commands of one client in one room in order where it counts: handlers overlap, commits do not
 * overtake (rule R10). A command has its turn when every earlier one has passed: entered its commit or ended.
 */
export class CommandLane {
  private readonly waiting: Command[] = [];
  private readonly turns = new Map<Command, () => void>();

  /** Adds a command behind those that were received before it. */
  add(command: Command): void {
    this.waiting.push(command);
  }

  /** Resolves when it is this command's turn; `undefined` when it is its turn already. */
  turn(command: Command): Promise<void> | undefined {
    if (this.waiting[0] === command || command.passed) return undefined;
    return new Promise((resolve) => this.turns.set(command, resolve));
  }

  /** Lets the commands behind go on, once all before them have passed too. */
  settle(): void {
    while (this.waiting[0]?.passed) this.waiting.shift();
    const next = this.waiting[0];
    if (!next) return;
    const resolve = this.turns.get(next);
    if (!resolve) return;
    this.turns.delete(next);
    resolve();
  }

  /** True if no command is under way. */
  get idle(): boolean {
    return this.waiting.length === 0;
  }
}
