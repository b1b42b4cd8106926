import { isDigits, isDigitsOr, isListOf, isListOfAll, isNumber, isText, LuaScript } from '@wss/redis';

type ResumedReply = [
  generation: number,
  endsAt: string,
  hasForgotten: 0 | 1,
  areExtended: 0 | 1,
  startedAt?: string,
  history?: string,
];

const isRefusedResume = isListOf(isNumber, isDigits, isNumber, isNumber);
const isResumed = isListOf(isNumber, isDigits, isNumber, isNumber, isDigitsOr(''), isText);
const isAnyText = isListOfAll(isText);
const isClaimed = ([now, claim]: readonly unknown[]): boolean => isDigits(now) && isDigits(claim);

/** Scripts of the session store, to be preloaded. */
export const SESSION_SCRIPTS = {
  create: new LuaScript<[endsAt: string, startedAt: string, history: string]>(
    new URL('./lua/session_create.lua', import.meta.url),
  ).replies(isListOf(isDigits, isDigits, isText)),
  end: new LuaScript<[user: string, endsAt: string, history: string, isNew: 0 | 1]>(
    new URL('./lua/session_end.lua', import.meta.url),
  ).replies(isListOf(isText, isDigits, isText, isNumber)),
  drop: new LuaScript<[now: string, wasThere: 0 | 1]>(
    new URL('./lua/session_drop.lua', import.meta.url),
  ).replies(isListOf(isDigits, isNumber)),
  extend: new LuaScript<string>(new URL('./lua/session_extend.lua', import.meta.url)).replies(isDigits),
  resume: new LuaScript<ResumedReply>(new URL('./lua/session_resume.lua', import.meta.url)).replies(
    (reply) => isRefusedResume(reply) || isResumed(reply),
  ),
  claim: new LuaScript<[now: string, claim: string, ...members: string[]]>(
    new URL('./lua/session_claim.lua', import.meta.url),
  ).replies((reply) => isAnyText(reply) && isClaimed(reply as unknown[])),
  note: new LuaScript<0 | 1>(new URL('./lua/session_note.lua', import.meta.url)),
  forget: new LuaScript<0 | 1>(new URL('./lua/session_forget.lua', import.meta.url)),
};
