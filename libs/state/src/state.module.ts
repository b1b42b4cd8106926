import {
  type DynamicModule,
  Global,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common';
import { bindFactory, CommandRecorder, RoomTypeRegistry, roomDocumentOf } from '@wss/core';
import { Committer, type CommitterOptions } from './commits/committer.js';
import { DocumentRegistry } from './documents/document-registry.js';
import { DocumentType } from './documents/document-type.js';
import { EngineRecorder } from './engine-recorder.js';
import { RoomStore } from './store/room-store.js';
import { RoomStateRepository } from './state-repository.js';

const tokens = new WeakMap<Type<object>, symbol>();

/** Injection token of the repository of a document class. */
function stateToken(document: Type<object>): symbol {
  roomDocumentOf(document);
  const known = tokens.get(document);
  if (known) return known;
  const token = Symbol(
    `StateRepository<${document.name}>; add StateModule.forFeature([${document.name}]) to imports`,
  );
  tokens.set(document, token);
  return token;
}

/** Injects the `StateRepository` of a document class; the module imports `StateModule.forFeature([…])`. */
export function InjectState(document: Type<object>): ParameterDecorator & PropertyDecorator {
  return Inject(stateToken(document));
}

/** Shared state of rooms. The application gives it a store, features register their documents. */
@Global()
@Module({})
export class StateModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly committer: Committer,
    private readonly types: RoomTypeRegistry,
    private readonly documents: DocumentRegistry,
  ) {}

  /** @param store provider of {@link RoomStore}. */
  static forRoot(store: Provider<RoomStore>, options: CommitterOptions): DynamicModule {
    const committer = bindFactory(
      Committer,
      [RoomStore, RoomTypeRegistry],
      (rooms, types) => new Committer(rooms, types, options),
    );
    const recorder = bindFactory(CommandRecorder, [Committer], (rooms) => new EngineRecorder(rooms));
    return {
      module: StateModule,
      providers: [store, committer, recorder, DocumentRegistry],
      exports: [RoomStore, Committer, CommandRecorder, DocumentRegistry],
    };
  }

  /** Makes repositories of these document classes injectable by `@InjectState`. */
  static forFeature(documents: readonly Type<object>[]): DynamicModule {
    const providers: Provider[] = documents.map((document) => ({
      provide: stateToken(document),
      inject: [RoomStore, Committer, DocumentRegistry],
      useFactory: (store: RoomStore, committer: Committer, registry: DocumentRegistry) => {
        const type = new DocumentType(document);
        registry.add(type);
        return new RoomStateRepository(type, store, committer);
      },
    }));
    return {
      module: DocumentsModule,
      providers,
      exports: providers.map((p) => (p as { provide: symbol }).provide),
    };
  }

  /** @throws Error when a document belongs to an undeclared kind of room. */
  onModuleInit(): void {
    for (const { type, roomType } of this.documents.all()) {
      if (this.types.get(roomType)) continue;
      throw new Error(
        `${type.name} is a document of rooms "${roomType}", which no class declares: add @RoomType('${roomType}', {}) to its handlers, or mend the name in @RoomDocument`,
      );
    }
  }

  onApplicationShutdown(): void {
    this.committer.close();
  }
}

/** Holds the repositories of one `forFeature`. */
@Module({})
class DocumentsModule {}
