import { type DynamicModule, Inject, Module, type Provider, type Type } from '@nestjs/common';
import {
  bind,
  bindFactory,
  CommandRecorder,
  didYouMean,
  RoomTypeRegistry,
  roomDocumentOf,
  UserRates,
} from '@wss/core';
import { Committer, CommitterOptions } from './commits/committer.js';
import { DocumentRegistry } from './documents/document-registry.js';
import { DocumentType } from './documents/document-type.js';
import { EngineRecorder } from './engine-recorder.js';
import { EngineUserRates } from './rates/engine-user-rates.js';
import { PartStore } from './rates/part-store.js';
import { RoomStore } from './store/room-store.js';
import { RoomStateRepository, SharedState } from './state-repository.js';

const tokens = new WeakMap<Type<object>, symbol>();
const documentClasses = new Map<unknown, Type<object>>();

/** Injection token of the repository of a document class. */
function stateToken(document: Type<object>): symbol {
  roomDocumentOf(document);
  const known = tokens.get(document);
  if (known) return known;
  const token = Symbol(
    `StateRepository<${document.name}>; add WssModule.forFeature([${document.name}]) to imports`,
  );
  tokens.set(document, token);
  documentClasses.set(token, document);
  return token;
}

/** The document class whose repository a token stands for; `undefined` for any other token. */
export function documentClassOf(token: unknown): Type<object> | undefined {
  return documentClasses.get(token);
}

/** Injects the `StateRepository` of a document class; the module imports `WssModule.forFeature([…])`. */
export function InjectState(document: Type<object>): ParameterDecorator & PropertyDecorator {
  return Inject(stateToken(document));
}

/**
 * Providers of the shared state of rooms. The module that provides them also provides {@link RoomStore},
 * {@link PartStore} and {@link CommitterOptions}, and imports `HandlersModule`.
 */
export const STATE_PROVIDERS: readonly Provider[] = [
  bindFactory(
    Committer,
    [RoomStore, RoomTypeRegistry, CommitterOptions],
    (store, types, options) => new Committer(store, types, options),
  ),
  bindFactory(CommandRecorder, [Committer], (committer) => new EngineRecorder(committer)),
  bindFactory(EngineUserRates, [PartStore], (store) => new EngineUserRates(store)),
  bind(UserRates, EngineUserRates),
  DocumentRegistry,
];

/** Repositories of documents, in the modules of features. */
@Module({})
export class StateModule {
  /** Makes repositories of these document classes injectable by `@InjectState`. */
  static forFeature(documents: readonly Type<object>[]): DynamicModule {
    const providers: Provider[] = documents.map((document) => ({
      provide: stateToken(document),
      inject: [{ token: SharedState, optional: true }],
      useFactory: (state?: SharedState) => repositoryOf(document, state),
    }));
    return {
      module: DocumentsModule,
      providers,
      exports: providers.map((p) => (p as { provide: symbol }).provide),
    };
  }
}

/** @throws Error with the remedy when no module gives shared state */
function repositoryOf(document: Type<object>, state: SharedState | undefined): RoomStateRepository<object> {
  if (!state) {
    throw new Error(
      `the repository of ${document.name} has no shared state: import WssModule.forRoot(…) in the application's root module, once`,
    );
  }
  const type = new DocumentType(document);
  state.documents.add(type);
  return new RoomStateRepository(type, state);
}

/** @throws Error when a document belongs to an undeclared kind of room. */
export function requireDeclaredRooms(documents: DocumentRegistry, types: RoomTypeRegistry): void {
  for (const { type, roomType } of documents.all()) {
    if (types.get(roomType)) continue;
    throw new Error(
      `${type.name} is a document of rooms "${roomType}", which no class declares: add @RoomType('${roomType}', {}) to its handlers, or mend the name in @RoomDocument${didYouMean(roomType, types.all().keys())}`,
    );
  }
}

/** Holds the repositories of one `forFeature`. */
@Module({})
class DocumentsModule {}
