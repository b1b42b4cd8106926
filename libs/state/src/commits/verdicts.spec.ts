import { describe, expect, it } from '@jest/globals';
import type { Verdict } from '../store/room-store.js';
import { decide, type JudgedWork } from './verdicts.js';

const reply = { position: { epoch: '5.abc', seq: 9 }, replicationId: 'r', conflict: false };
const record = { seq: 4, fingerprint: 'f', outcome: { kind: 'result', json: '1' } } as const;

function work(verdict: Verdict, facts: Partial<JudgedWork> = {}): JudgedWork {
  return { verdict, isOwn: false, isKey: false, unknown: false, ...facts };
}

function decided(...works: JudgedWork[]): readonly string[] {
  return decide(works, reply).works.map((decision) =>
    'error' in decision ? `${decision.kind} ${decision.error.code}` : decision.kind,
  );
}

describe('the decisions on a batch that was judged', () => {
  it('run again what could be written, and refuse a number with its reason', () => {
    expect(
      decided(
        work({ kind: 'ok' }),
        work({ kind: 'reused' }),
        work({ kind: 'out_of_order', expected: 3 }),
        work({ kind: 'window' }),
        work({ kind: 'expired' }),
      ),
    ).toEqual([
      'again',
      'rejected number_reused',
      'rejected out_of_order',
      'rejected out_of_order',
      'rejected session_expired',
    ]);
  });

  it('answer a repetition from its record, and one without a record as forgotten', () => {
    const { works } = decide([work({ kind: 'duplicate', record }), work({ kind: 'duplicate' })], reply);
    expect(works).toEqual([
      {
        kind: 'answered',
        result: {
          outcome: record.outcome,
          position: { epoch: '5.abc', seq: 4 },
          duplicate: true,
          replicationId: 'r',
        },
      },
      {
        kind: 'answered',
        result: {
          outcome: { kind: 'skipped' },
          position: reply.position,
          duplicate: true,
          replicationId: 'r',
          forgotten: true,
        },
      },
    ]);
  });

  it('leave for later a number that stands twice, a bound behind others, and all that follows', () => {
    const bound: Verdict = { kind: 'bound', operation: 0 };
    expect(decided(work({ kind: 'ok' }), work({ kind: 'later' }), work({ kind: 'ok' }))).toEqual(['again']);
    expect(decided(work({ kind: 'ok' }), work(bound), work({ kind: 'reused' }))).toEqual(['again']);
    expect(decided(work(bound), work({ kind: 'ok' }))).toEqual(['refused rejected', 'again']);
    expect(decided(work({ kind: 'later' }))).toEqual([]);
  });

  it('R12: run a work of the node again whose number belongs to another, in a new lane', () => {
    const foreign: Verdict[] = [
      { kind: 'reused' },
      { kind: 'out_of_order', expected: 2 },
      { kind: 'expired' },
      { kind: 'duplicate' },
    ];
    for (const verdict of foreign) {
      expect(decide([work(verdict, { isOwn: true })], reply)).toEqual({
        works: [{ kind: 'again' }],
        isLaneLost: true,
      });
    }
    expect(decide([work({ kind: 'duplicate', record }, { isOwn: true })], reply)).toMatchObject({
      works: [{ kind: 'answered', result: { duplicate: false } }],
      isLaneLost: false,
    });
    expect(decide([work({ kind: 'expired' })], reply).isLaneLost).toBe(false);
  });

  it('R12: promise nothing of a work of the node whose answer was lost and whose record is gone', () => {
    const lost = (verdict: Verdict): readonly string[] =>
      decided(work(verdict, { isOwn: true, unknown: true }));
    expect(lost({ kind: 'expired' })).toEqual(['lost unavailable']);
    expect(lost({ kind: 'out_of_order', expected: 2 })).toEqual(['lost unavailable']);
    expect(lost({ kind: 'duplicate' })).toEqual(['lost unavailable']);
    // The number was given to another work, so this one was not written under it.
    expect(lost({ kind: 'reused' })).toEqual(['again']);
  });

  it('know a lost lane by a work that can not be judged yet', () => {
    const { works, isLaneLost } = decide(
      [work({ kind: 'later' }), work({ kind: 'reused' }, { isOwn: true })],
      reply,
    );
    expect([works, isLaneLost]).toEqual([[], true]);
  });
});
