import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { GatewayError, RoomDocument } from '@wss/core';
import type { LogEntry } from '@wss/protocol';
import { newSeed, Random } from '@wss/testing';
import { IsInt, Max, Min } from 'class-validator';
import jsonPatch from 'fast-json-patch';
import {
  Committer,
  DocumentRegistry,
  DocumentType,
  RoomDraft,
  RoomStateRepository,
  type RoomStore,
  StoreError,
} from '../../src/index.js';
import type { CallChannels } from '../../src/commits/writer-queue.js';

/** An engine that loses data. */
export interface FailingEngine {
  readonly store: RoomStore;
  /** The calls of one node. */
  openChannels(): CallChannels;
  checkpoint(): Promise<void>;
  loseSinceCheckpoint(): Promise<void>;
  stop(): Promise<void>;
}

/** A bug of a node, planted into its store. */
export type StoreFlaw = (store: RoomStore) => RoomStore;

interface Line {
  readonly id: string;
  amount: number;
}

@RoomDocument('bank')
export class Ledger {
  accounts: Record<string, number> = {};
  lines: Line[] = [];

  @IsInt()
  moves = 0;
}

@RoomDocument('bank')
class Audit {
  @Min(0)
  total = 0;

  @IsInt()
  moves = 0;

  last: Line | null = null;
  silent: Move | null = null;
}

@RoomDocument('bank')
class Notes {
  at: number[] = [];

  @Max(1_000_000)
  count = 0;
}

const KINDS = [
  ...['deposit', 'deposit', 'transfer', 'withdraw', 'withdraw', 'peek', 'note', 'note'],
  ...['alias', 'silent', 'breach', 'throw', 'notes first'],
] as const;

/** A step on the documents of a bank. */
interface Move {
  readonly id: string;
  readonly kind: (typeof KINDS)[number];
  readonly account: string;
  readonly to: string;
  readonly amount: number;
  /** True if the update is one of the audit, which opens the ledger. */
  readonly byAudit: boolean;
}
interface Bank {
  readonly ledger: Ledger;
  readonly audit: Audit;
  /** Opened only where it is needed. */
  notes(): Notes;
  append(event: string, data?: unknown): void;
}

/**
 * Carries out a step. Every one that changes something counts in ledger and audit alike, so that a state of both is known by its
 * number, and both have the same sum.
 */
function carryOut({ id, kind, account, to, amount, ...move }: Move, bank: Bank): unknown {
  const { ledger, audit } = bank;
  const { accounts, lines } = ledger;
  const seen = { ledger: ledger.moves, audit: audit.moves, total: audit.total, sum: sumOf(ledger) };
  const step = (by: number): void => {
    ledger.moves++;
    audit.moves++;
    audit.total += by;
    accounts[account] = (accounts[account] ?? 0) + by;
    lines.push({ id, amount: by });
    if (lines.length > 5) lines.shift();
  };
  switch (kind) {
    case 'peek':
      bank.append('bank.moved', { id });
      return seen;
    case 'withdraw':
      if ((accounts[account] ?? 0) < amount) throw refusal('not_found', seen);
      step(-amount);
      break;
    case 'transfer':
      step(-Math.min(amount, accounts[account] ?? 0));
      audit.total += amount;
      accounts[to] = (accounts[to] ?? 0) + amount;
      break;
    case 'note':
      // Only some states need the third document.
      if (audit.total % 2 === 0) noteIn(bank.notes(), audit.moves);
      step(0);
      break;
    case 'notes first':
      if (bank.notes().count % 3 === 0) step(amount);
      else step(0);
      break;
    case 'alias':
      step(amount);
      // One object in both documents, which is changed once more.
      audit.last = lines.at(-1)!;
      audit.last.amount++;
      break;
    case 'silent':
      ledger.moves++;
      audit.moves++;
      audit.silent = { id, kind, account, to, amount, ...move };
      return seen;
    case 'breach':
      step(amount);
      audit.total = -1;
      break;
    case 'throw':
      step(amount);
      noteIn(bank.notes(), 0);
      throw refusal('rejected', seen);
    case 'deposit':
      step(amount);
  }
  bank.append('bank.moved', { id });
  if (amount % 3 === 0) bank.append('bank.noted', { amount });
  return seen;
}

function noteIn(notes: Notes, at: number): void {
  notes.at.push(at);
  if (notes.at.length > 4) notes.at.shift();
  notes.count++;
}

function sumOf({ accounts }: Ledger): number {
  return Object.values(accounts).reduce((sum, amount) => sum + amount, 0);
}

function refusal(code: 'not_found' | 'rejected', seen: object): GatewayError {
  return new GatewayError(code, JSON.stringify(seen));
}

/** The documents at one number of the log, as JSON. */
interface State {
  ledger: object;
  audit: object;
  notes: object;
}
type Answer = { readonly result: unknown } | { readonly code: string; readonly message: string };
interface Told {
  readonly move: Move;
  readonly answer: Answer;
}

const EMPTY: State = { ledger: new Ledger(), audit: new Audit(), notes: new Notes() };
const DAY = 86_400_000;
const NODES = 3;
const types = { of: () => ({ type: 'bank', history: { events: 100_000, ttlMs: DAY }, idleTtlMs: 0 }) };
const copyOf = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

interface BankNode {
  readonly committer: Committer;
  readonly ledgers: RoomStateRepository<Ledger>;
  readonly audits: RoomStateRepository<Audit>;
  readonly notes: RoomStateRepository<Notes>;
}

/** A room, its nodes, and all that they answered. */
class Run {
  readonly room = `bank:${randomUUID()}`;
  readonly counts: Record<string, number> = {};
  /** Answers of the present round. */
  private told: Told[] = [];
  /** Every state that the documents ever had, by its number of moves. */
  private readonly states = new Map<number, State[]>([[0, [EMPTY]]]);
  private readonly nodes: BankNode[];
  /** How many answers of commits get lost now. */
  private losing = 0;
  private checkpointed = false;
  /** Where the engine has lost data, a lane may be gone together with the record that would tell of a lost answer. */
  private hasLost = false;

  constructor(
    private readonly engine: FailingEngine,
    private readonly random: Random,
    flaw: StoreFlaw = (store) => store,
  ) {
    this.nodes = Array.from({ length: NODES }, () => this.newNode(flaw));
  }

  private newNode(flaw: StoreFlaw): BankNode {
    const store = flaw(this.losingStore());
    const channels = this.engine.openChannels();
    const committer = new Committer(store, types, { nodeId: randomUUID(), channels, patienceMs: 30_000 });
    const documents = new DocumentRegistry();
    const repository = <D extends object>(type: new () => D): RoomStateRepository<D> => {
      const document = new DocumentType(type);
      documents.add(document as unknown as DocumentType<object>);
      return new RoomStateRepository(document, { store, committer, documents });
    };
    return { committer, ledgers: repository(Ledger), audits: repository(Audit), notes: repository(Notes) };
  }

  private losingStore(): RoomStore {
    const store = Object.create(this.engine.store) as RoomStore;
    store.commit = async (request) => {
      const reply = await this.engine.store.commit(request);
      if (this.losing === 0 || request.judgeOnly) return reply;
      this.losing--;
      throw new StoreError('unknown', 'the answer was lost');
    };
    return store;
  }

  close(): void {
    for (const { committer } of this.nodes) committer.close();
  }

  async round(): Promise<void> {
    const { random, engine } = this;
    this.told = [];
    this.losing = random.below(4) === 0 ? 1 + random.below(3) : 0;
    if (random.below(8) === 0) {
      await engine.checkpoint();
      this.checkpointed = true;
    }
    const calls = Array.from({ length: 1 + random.below(12) }, () => this.call(this.move()));
    let isLossy = false;
    if (this.checkpointed && random.below(8) === 0) {
      isLossy = true;
      this.hasLost = true;
      this.checkpointed = false;
      for (let turns = random.below(5); turns > 0; turns--) await setImmediate();
      await engine.loseSinceCheckpoint();
    }
    await Promise.all(calls);
    await this.verify(isLossy);
  }

  private move(): Move {
    const { random } = this;
    const account = (): string => random.pick(['a', 'b', 'c']);
    return {
      ...{ id: randomUUID(), kind: random.pick(KINDS), account: account(), to: account() },
      ...{ amount: 1 + random.below(9), byAudit: random.below(2) === 0 },
    };
  }

  private async call(move: Move): Promise<void> {
    const { random, room } = this;
    const { ledgers, audits, notes } = random.pick(this.nodes);
    for (let turns = random.below(6); turns > 0; turns--) await setImmediate();
    const on = (draft: RoomDraft, opened: Partial<Bank> = {}): unknown => {
      const bank: Bank = {
        ledger: opened.ledger ?? draft.document(Ledger),
        audit: opened.audit ?? draft.document(Audit),
        notes: opened.notes ?? (() => draft.document(Notes)),
        append: (event, data) => draft.append(event, data),
      };
      if (draft.document(Ledger) !== bank.ledger) throw new Error('a document was opened twice');
      return carryOut(move, bank);
    };
    const scope = { room };
    const work =
      move.kind === 'notes first'
        ? notes.update(scope, (opened, draft) => on(draft, { notes: () => opened }))
        : move.byAudit
          ? audits.update(scope, (audit, draft) => on(draft, { audit }))
          : ledgers.update(scope, (ledger, draft) => on(draft, { ledger }));
    this.told.push({
      move,
      answer: await work.then(
        (result) => ({ result }),
        (error: unknown) => {
          if (!(error instanceof GatewayError)) throw error;
          return { code: error.code, message: error.message };
        },
      ),
    });
  }

  /** The documents at each number are what the commands make one after another, and what the patches say. */
  private async verify(isLossy: boolean): Promise<void> {
    const { told, engine, room } = this;
    const limits = { entries: 100_000, bytes: 1e9 };
    const { entries, documents } = await engine.store.resume({
      ...{ room, idleTtlMs: 0, newest: 100_000, limits, documents: true },
    });
    const byId = new Map(told.map((each) => [each.move.id, each]));
    const known = this.moves;
    const found = new Set<string>();
    const folded: State & { versions: Record<string, number> } = { ...copyOf(EMPTY), versions: {} };
    let model = copyOf(EMPTY);
    for (const entry of entries) {
      fold(folded, entry);
      const { silent } = folded.audit as Audit;
      const { id = silent!.id } = JSON.parse(entry.events[0]!.data) as { id?: string };
      expect([id, found.has(id)]).toEqual([id, false]);
      found.add(id);
      const move = byId.get(id)?.move ?? known.get(id)!;
      known.set(id, move);
      const made = carryOutOn(model, move);
      model = made.state;
      const { versions: _, ...seen } = folded;
      expect({ move, ...seen }).toEqual({ move, ...model });
      const { ledger, audit } = seen as unknown as { ledger: Ledger; audit: Audit };
      // In every state both numbers are the same, and both sums.
      expect([audit.moves, audit.total]).toEqual([ledger.moves, sumOf(ledger)]);
      this.keep(model);
      const answer = byId.get(id)?.answer;
      if (answer && 'result' in answer) expect({ move, ...answer }).toEqual({ move, result: made.result });
    }
    const stored = (name: 'ledger' | 'audit' | 'notes'): unknown => {
      const document = documents.get(name);
      return document ? JSON.parse(document.json) : EMPTY[name];
    };
    expect({ ledger: stored('ledger'), audit: stored('audit'), notes: stored('notes') }).toEqual(
      copyOf(model),
    );
    for (const each of told) this.judge(each, found.has(each.move.id), isLossy);
  }

  private readonly moves = new Map<string, Move>();

  private keep(state: State): void {
    const { moves } = state.ledger as Ledger;
    const known = this.states.get(moves) ?? [];
    const text = JSON.stringify(state);
    if (known.some((each) => JSON.stringify(each) === text)) return;
    this.states.set(moves, [...known, copyOf(state)]);
  }

  private judge({ move, answer }: Told, isInLog: boolean, isLossy: boolean): void {
    const outcome = 'code' in answer ? answer.code : 'ok';
    this.counts[outcome] = (this.counts[outcome] ?? 0) + 1;
    const what = { move, outcome, isInLog };
    if (outcome === 'unknown_outcome' && this.hasLost) return;
    if (outcome === 'ok') {
      if (!isLossy) expect(what).toEqual({ ...what, isInLog: true });
      return;
    }
    expect(what).toEqual({ ...what, isInLog: false });
    // On a machine that stands still a deadline may pass; then nothing was done.
    if (outcome === 'conflict' || outcome === 'unavailable') return;
    expect(['invalid', 'not_found', 'rejected']).toContain(outcome);
    if (outcome === 'invalid') return;
    // It saw one state of all documents.
    const { message } = answer as { message: string };
    const { ledger } = JSON.parse(message) as { ledger: number };
    const refusals = (this.states.get(ledger) ?? []).map((state) => {
      try {
        carryOutOn(state, move);
        return 'none';
      } catch (error) {
        return (error as Error).message;
      }
    });
    if (!isLossy) expect(refusals).toContain(message);
  }
}

/** Applies the patches of an entry, one for each document that it changed, each from the version that it names. */
function fold(state: State & { versions: Record<string, number> }, { first, events, patch }: LogEntry): void {
  if (patch === undefined) return;
  const seq = first + events.length - 1;
  // Inside a commit a base is known as a distance only.
  const text = patch.replace(/\x03(\d+)\x04/g, (_all, back: string) => String(seq - Number(back)));
  for (const [name, { base, ops }] of Object.entries(
    JSON.parse(text) as Record<keyof State, { base: number; ops: jsonPatch.Operation[] }>,
  )) {
    expect([seq, name, base]).toEqual([seq, name, state.versions[name] ?? 0]);
    state[name as keyof State] = jsonPatch.applyPatch(state[name as keyof State], ops, true).newDocument;
    state.versions[name] = seq;
  }
}

/** The step on a state as if it were alone. */
function carryOutOn(state: State, move: Move): { readonly state: State; readonly result: unknown } {
  const next = copyOf(state);
  const { ledger, audit, notes } = next as unknown as { ledger: Ledger; audit: Audit; notes: Notes };
  const result = carryOut(move, { ledger, audit, notes: () => notes, append: () => undefined });
  return { state: copyOf(next), result: copyOf(result) };
}

/**
 * Random steps on the documents of one room, judged by a serial model.
 * @returns how often each outcome came up
 * @throws Error that names the seed and shows what is wrong
 */
export async function compareDocuments(
  engine: FailingEngine,
  seed: number,
  flaw?: StoreFlaw,
): Promise<Record<string, number>> {
  const run = new Run(engine, new Random(seed), flaw);
  try {
    for (let round = 0; round < 25; round++) await run.round();
    return run.counts;
  } catch (error) {
    throw new Error(`CHAOS_SEED=${seed}: ${String(error)}`, { cause: error });
  } finally {
    run.close();
  }
}

/** Several documents of a room in one commit, on any engine. */
export function severalDocumentsContract(name: string, create: () => Promise<FailingEngine>): void {
  describe(`several documents of a room on ${name}`, () => {
    let engine: FailingEngine;
    beforeAll(async () => {
      engine = await create();
    });
    afterAll(() => engine?.stop());

    it('R3, R11, R16: change together or not at all, and are what the patches of the log say', async () => {
      const seed = newSeed();
      const counts: Record<string, number> = {};
      for (let i = 0; i < 6; i++) {
        const found = await compareDocuments(engine, seed + i);
        for (const [kind, count] of Object.entries(found)) counts[kind] = (counts[kind] ?? 0) + count;
      }
      for (const kind of ['ok', 'invalid', 'not_found', 'rejected'])
        expect({ kind, often: (counts[kind] ?? 0) > 10 }).toEqual({ kind, often: true });
    }, 300_000);
  });
}
