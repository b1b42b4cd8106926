import type { RoutedCommand } from './routed-command.js';

/** Judges if the senders of commands are still members of their rooms (R38). */
export abstract class MemberJudge {
  /**
   * Resolves when the sender may be a member of the command's room, as far as this node can know it now.
   * @returns undefined if nothing has to be found out
   * @throws GatewayError `forbidden` if the membership has ended; `unavailable` if that can't be known now
   */
  abstract judge(command: RoutedCommand): Promise<void> | undefined;
}
