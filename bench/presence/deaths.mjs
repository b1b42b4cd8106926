import { setTimeout as delay } from 'node:timers/promises';
import { Client } from './client.mjs';

const USERS = 200;

/**
 * Kills a node and waits until a client on another node has seen all its users announced as gone, with default
 * settings.
 * @returns seconds from the kill to the last announcement
 */
export async function measureDeath(cluster, room) {
  const node = await cluster.addNode();
  const watcher = new Client(`${cluster.nodes[0].url}?user=watcher`);
  await watcher.open();
  watcher.countsLeft = true;
  await watcher.ask('$join', room);
  const clients = Array.from({ length: USERS }, (_, i) => new Client(`${node.url}?user=d${i}`));
  await Promise.all(clients.map((client) => client.open()));
  await Promise.all(clients.map((client) => client.ask('$join', room)));
  while (performance.now() - watcher.heardAt < 2_000) await delay(50);
  const killedAt = performance.now();
  await node.kill();
  while (watcher.left < USERS) await delay(10);
  const seconds = (watcher.heardAt - killedAt) / 1_000;
  // A leave that is announced twice is announced again soon after.
  await delay(2_000);
  watcher.socket.terminate();
  if (watcher.left !== USERS) throw new Error(`${watcher.left} leaves of ${USERS} users`);
  return seconds;
}
