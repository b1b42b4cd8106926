import { changedScript } from '@wss/testing';
import { ROOM_SCRIPTS, type RoomScripts } from '../../src/index.js';

const FAILS_AT_ITS_END = changedScript(ROOM_SCRIPTS.commit, [
  [
    "local reply = 'committed ' ..",
    "if mode ~= '2' then error('failed at its end') end\nlocal reply = 'committed ' ..",
  ],
]);

/** The scripts as shipped, but that some calls for a commit fail when everything is written. */
export class FailingScripts implements RoomScripts {
  /** How many of the next calls fail. */
  failures = 0;
  readonly resume = ROOM_SCRIPTS.resume;
  readonly history = ROOM_SCRIPTS.history;
  readonly leave = ROOM_SCRIPTS.leave;
  readonly keep = ROOM_SCRIPTS.keep;
  readonly keepLane = ROOM_SCRIPTS.keepLane;

  get commit(): RoomScripts['commit'] {
    return this.failures-- > 0 ? FAILS_AT_ITS_END : ROOM_SCRIPTS.commit;
  }
}
