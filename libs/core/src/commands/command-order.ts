/** The part of a command that decides its place among the others. */
interface OrderedCommand {
  /** It entered its commit or ended. */
  readonly passed: boolean;
}

/**
 * Keeps the commits of one client in one room in the order of its commands: handlers overlap, commits do not overtake
 * (R10). A command may commit when every earlier one has passed: entered its commit or ended.
 */
export class CommandOrder {
  private readonly commands: OrderedCommand[] = [];
  private readonly waiting = new Map<OrderedCommand, () => void>();

  /** Adds a command behind those that were received before it. */
  add(command: OrderedCommand): void {
    this.commands.push(command);
  }

  /** Resolves when every command before this one has passed; `undefined` if they have already. */
  before(command: OrderedCommand): Promise<void> | undefined {
    if (this.commands[0] === command || command.passed) return undefined;
    return new Promise((resolve) => this.waiting.set(command, resolve));
  }

  /** Lets the commands behind go on, once all before them have passed too. */
  settle(): void {
    while (this.commands[0]?.passed) this.commands.shift();
    const next = this.commands[0];
    if (!next) return;
    const resolve = this.waiting.get(next);
    if (!resolve) return;
    this.waiting.delete(next);
    resolve();
  }

  /** True if no command is under way. */
  get idle(): boolean {
    return this.commands.length === 0;
  }
}
