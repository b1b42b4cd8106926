/** Names this transport where an application has several: `@EventPattern<string>('x', CLUSTER_TRANSPORT)`. */
export const CLUSTER_TRANSPORT = Symbol('wss.cluster');
