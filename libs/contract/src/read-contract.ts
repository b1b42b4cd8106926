import { type AsyncApiDocument, CONNECTION, type Operation } from './async-api.js';
import type { CommandContract, AppContract, EventContract, RoomContract } from './contract.js';
import type { JsonSchema } from './json-schema.js';

/**
 * The contract that a document of ours states; the opposite of `toAsyncApi`.
 * @throws Error when it is not such a document
 */
export function readContract(document: AsyncApiDocument): AppContract {
  if (document.asyncapi !== '3.0.0' || !document.channels?.[CONNECTION]) {
    throw new Error('this is not the contract of a wss server: write it with "npm run contract"');
  }
  const rooms = Object.entries(document.channels).flatMap(([name, channel]): RoomContract[] => {
    const type = channel['x-room-type'];
    if (type === undefined) return [];
    const documents = Object.entries(channel['x-documents'] ?? {}).map(([key, value]) => ({
      name: key,
      value,
    }));
    const maxMembers = channel['x-max-members'];
    const members = maxMembers !== undefined && { maxMembers };
    return [{ type, ...eventsOf(document, name), documents, ...members }];
  });
  return { ...eventsOf(document, CONNECTION), rooms, schemas: document.components.schemas };
}

function eventsOf(
  { operations, components }: AsyncApiDocument,
  channel: string,
): { commands: CommandContract[]; events: EventContract[] } {
  const dataOf = ({ $ref }: { readonly $ref: string }): JsonSchema => {
    const message = components.messages[$ref.slice($ref.lastIndexOf('/') + 1)];
    return message?.payload.properties?.data ?? {};
  };
  const commands: CommandContract[] = [];
  const events: EventContract[] = [];
  for (const operation of Object.values(operations)) {
    if (operation.channel.$ref !== `#/channels/${channel}`) continue;
    const { action, messages, reply, 'x-event': event, 'x-volatile': volatile = false } = operation;
    const data = dataOf(messages[0]!);
    if (action === 'send') events.push({ event, data, volatile });
    else commands.push({ event, data, ...known(reply && dataOf(reply.messages[0]!)), ...limitsOf(operation) });
  }
  return { commands, events };
}

function limitsOf({ 'x-rate-limits': stated }: Operation): Pick<CommandContract, 'limits'> {
  return stated ? { limits: stated.map(({ code: _code, ...limit }) => limit) } : {};
}

/** A reply without a schema was not declared. */
function known(reply: JsonSchema | undefined): { reply?: JsonSchema } {
  return reply && Object.keys(reply).length > 0 ? { reply } : {};
}
