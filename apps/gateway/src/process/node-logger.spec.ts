import { afterEach, expect, it, jest } from '@jest/globals';
import { loadConfig } from '../load-config.js';
import { NodeLogger } from './node-logger.js';

afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

interface Line {
  readonly level: string;
}

/** The output of one log entry. */
function written(env: NodeJS.ProcessEnv, message: string): string {
  const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  new NodeLogger(loadConfig({ AUTH: 'none', ...env }), 'abc123').log(message, 'Connections');
  return String(write.mock.lastCall![0]);
}

it('names the node, and the client that a line is about', () => {
  expect(JSON.parse(written({ LOG_FORMAT: 'json' }, 'client abc123.1z failed'))).toMatchObject({
    level: 'log',
    context: 'Connections',
    message: 'client abc123.1z failed',
    nodeId: 'abc123',
    clientId: 'abc123.1z',
  });
  expect(JSON.parse(written({ LOG_FORMAT: 'json' }, 'client other9.1 failed'))).not.toHaveProperty(
    'clientId',
  );
});

it.each([
  [{ NODE_ENV: 'production' }, true],
  [{ NODE_ENV: 'production', LOG_FORMAT: 'text' }, false],
  [{}, false],
])('writes JSON in production or where it is told to: %j', (env, json) => {
  expect(written(env, 'hello').startsWith('{')).toBe(json);
});

const LEVELS = ['fatal', 'error', 'warn', 'log', 'debug', 'verbose'] as const;

it.each([
  [{}, 4],
  [{ NODE_ENV: 'production' }, 4],
  [{ LOG_LEVEL: 'error' }, 2],
  [{ LOG_LEVEL: 'warn' }, 3],
  [{ LOG_LEVEL: 'log' }, 4],
  [{ LOG_LEVEL: 'info' }, 4],
  [{ LOG_LEVEL: 'debug' }, 5],
  [{ LOG_LEVEL: 'verbose' }, 6],
])('writes the levels that are at least as important as LOG_LEVEL: %j', (env, count) => {
  const writes = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockReturnValue(true),
  );
  const logger = new NodeLogger(loadConfig({ AUTH: 'none', ...env, LOG_FORMAT: 'json' }), 'abc123');
  for (const level of LEVELS) logger[level]('hello', 'RedisLinks');
  const lines = writes.flatMap(({ mock }) => mock.calls.map(([line]) => JSON.parse(String(line)) as Line));
  expect(new Set(lines.map(({ level }) => level))).toEqual(new Set(LEVELS.slice(0, count)));
});

it('takes the steps of a start for details', () => {
  const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  for (const LOG_LEVEL of ['log', 'debug']) {
    const logger = new NodeLogger(loadConfig({ AUTH: 'none', LOG_LEVEL }), 'abc123');
    for (const context of ['InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication'])
      logger.log('a step', context);
  }
  expect(write).toHaveBeenCalledTimes(4);
});

it.each(['WsExceptionsHandler', 'RpcExceptionsHandler', 'ExceptionsHandler'])(
  'tells a bug that Nest logs as %s once, each class by itself, and nothing else less often',
  (context) => {
    // Does not wait for the lines that are due in a minute.
    jest.useFakeTimers();
    const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    const logger = new NodeLogger(loadConfig({ AUTH: 'none', LOG_FORMAT: 'json' }), 'abc123');
    for (let i = 0; i < 20; i++) {
      logger.error(new TypeError('a bug'), context);
      logger.error(new RangeError('another bug'), context);
      logger.error('something else', 'Feature');
    }
    const lines = write.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
    const ofNest = lines.filter((line) => line.context === context);
    expect(ofNest.map(({ message }) => String(message).split('\n')[0])).toEqual([
      'TypeError: a bug',
      'RangeError: another bug',
    ]);
    expect(lines).toHaveLength(22);
  },
);

it('keeps the cause of a bug that Nest logs', () => {
  jest.useFakeTimers();
  const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const logger = new NodeLogger(loadConfig({ AUTH: 'none', LOG_FORMAT: 'json' }), 'abc123');
  logger.error(new Error('a bug', { cause: new Error('the reason') }), 'WsExceptionsHandler');
  expect(JSON.parse(String(write.mock.lastCall![0]))).toMatchObject({
    message: expect.stringMatching(/^Error: a bug\n[^]*the reason/),
  });
});
