import type { RoomState } from '../socket/room-state.js';
import type { RoutedCommand } from './routed-command.js';

/** Commands that wait for a join or leave in their room, in the order in which they came. */
export class WaitingCommands {
  private readonly byRoom = new WeakMap<RoomState, RoutedCommand[]>();

  add(state: RoomState, command: RoutedCommand): void {
    const waiting = this.byRoom.get(state);
    if (waiting) waiting.push(command);
    else this.byRoom.set(state, [command]);
  }

  /** Takes out the first command of a room. */
  next(state: RoomState): RoutedCommand | undefined {
    return this.byRoom.get(state)?.shift();
  }

  /** Takes out a command; returns true if it was waiting. */
  remove(state: RoomState, command: RoutedCommand): boolean {
    const waiting = this.byRoom.get(state);
    const index = waiting?.indexOf(command) ?? -1;
    if (index >= 0) waiting!.splice(index, 1);
    return index >= 0;
  }

  /** Takes out all commands of some rooms. */
  takeAll(states: readonly RoomState[]): RoutedCommand[] {
    return states.flatMap((state) => this.byRoom.get(state)?.splice(0) ?? []);
  }
}
