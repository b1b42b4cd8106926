import { expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { keptState, keptSurplus } from './kept-state.js';

class Lonely {
  readonly calls: string[] = [];
}

class Owner {
  readonly byName = new Map([['first', { items: [1] }]]);
}

@Module({ providers: [Lonely] })
class LonelyModule {}

it('finds what a collection holds, wherever it lies', () => {
  const owner = new Owner();
  const before = keptState(owner);
  owner.byName.get('first')!.items.push(2);
  expect(keptSurplus(before, keptState(owner))).toEqual(['Owner.byName[].items: 1 → 2']);
});

it('finds what a provider keeps that nobody but the container holds', async () => {
  const testing = await Test.createTestingModule({ imports: [LonelyModule] }).compile();
  const app = testing.createNestApplication();
  // Nest keeps tables of its own from the first look on.
  const { calls } = app.get(Lonely);
  const before = keptState(app);
  calls.push('one');
  expect(keptSurplus(before, keptState(app))).toEqual(['Lonely.calls: 0 → 1']);
  await app.close();
});
