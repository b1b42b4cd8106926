/**
 * The house: which library may use which, and the folders of each as floors, the lowest first. A folder uses those
 * below it; folders that share a floor (an inner list) do not know each other. Files beside the folders may use all
 * of them, and are used by none, unless they have a floor of their own.
 */
export const HOUSE = {
  'libs/protocol': { uses: [], packages: [], floors: [] },
  'libs/client': {
    uses: ['protocol'],
    packages: [],
    floors: [['values', 'time'], 'connection', 'rooms'],
  },
  'libs/redis': {
    uses: ['protocol'],
    packages: ['ioredis', '@nestjs/', 'node:'],
    floors: ['server', 'links', 'cluster'],
  },
  'libs/core': {
    uses: ['protocol'],
    floors: ['errors', 'handlers', 'schemas', ['commands', 'validation'], ['rooms', 'sessions']],
  },
  'libs/state': {
    uses: ['redis', 'core', 'protocol'],
    floors: ['store', ['documents', 'memory', 'lanes'], ['commits', 'rates']],
  },
  'libs/cluster': {
    uses: ['redis', 'state', 'core', 'protocol'],
    floors: [
      'channels',
      'nodes',
      ['events', 'following', 'keeping'],
      'rooms',
      'users',
      ['jobs', 'places', 'presence', 'sessions'],
      ['revocations', 'waiting'],
    ],
  },
  'libs/messaging': {
    uses: ['core', 'protocol'],
    without: ['ioredis'],
    floors: ['ports', 'reading', 'socket', 'commands', 'rooms', 'connections', 'adapter'],
  },
  'libs/contract': {
    uses: ['state', 'core', 'protocol'],
    floors: [
      ['json-schema', 'component-names'],
      ['contract', 'class-comments', 'schema-types', 'limit-texts'],
      ['class-schemas', 'schema-names', 'type-map', 'async-api'],
      'read-contract',
      ['compatibility', 'exploring', 'page'],
      ['files', 'pull', 'serving'],
    ],
  },
  'libs/nest': {
    uses: ['redis', 'state', 'cluster', 'messaging', 'contract', 'core', 'protocol'],
    floors: ['options', 'health', 'engine', ['admission', 'metrics'], 'assembly'],
  },
  'libs/testing': {
    // The folders below `published` are published with it; those above are for our own tests alone.
    floors: [
      ['waiting', 'lifetimes'],
      ['network', 'processes', 'clients'],
      'servers',
      'features',
      'published',
      'deployments',
      'gateways',
    ],
  },
  'apps/gateway': {
    floors: [
      ['config', 'node-name.module'],
      'wss-options',
      'load-config',
      ['page', 'contract', 'features'],
      'app.module',
      'process',
    ],
  },
};

/** Arrows against the floors that are still to be turned: "file → folder". */
export const EXCEPTIONS = [];

/** Programs outside the app that may know its files. */
export const KNOW_THE_APP = [/^test\/fixtures\//, /^bench\/[^/]+\//];

/** Names of entries that are published beside the main one, and the library of each. */
export const SUBPATHS = {
  '@wss/nest/contract': 'contract',
  '@wss/nest/health': 'nest',
  '@wss/nest/metrics': 'nest',
  '@wss/nest/testing': 'testing',
};

/** Packages that features may not use, so that they run on any engine. */
export const NOT_IN_FEATURES = ['ioredis'];

/** Files of Nest's packages that may be imported: they exist in Nest 11 and 12, with these names in them. */
export const FILES_OF_NEST = ['@nestjs/websockets/constants.js', '@nestjs/microservices/constants.js'];
