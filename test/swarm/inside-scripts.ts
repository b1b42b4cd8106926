/** Revokes the user of its first argument, as a process of an operator does that joins the cluster for it. */
export const REVOKE = `
  await import('reflect-metadata');
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { Users, WssModule } = await import('./dist/libs/nest/src/index.js');
  class Job {}
  Module({ imports: [WssModule.forRoot({ auth: 'none', redis: process.env.REDIS_SERVER })] })(Job);
  const job = await NestFactory.createApplicationContext(Job, { logger: ['error'] });
  await job.get(Users, { strict: false }).revoke(process.argv[1], { by: 'operator' });
  await job.close();`;

/**
 * Connects as often as its first argument says, with the headers of its second and a forged address, prints how many got
 * each status, and keeps the connections until its input ends.
 */
export const CONNECT = `
  const { WebSocket } = await import('ws');
  const [attempts, headers] = process.argv.slice(1).map((text) => JSON.parse(text));
  const statuses = {};
  const connect = (index) =>
    new Promise((resolve) => {
      const forged = { 'X-Forwarded-For': '198.51.100.' + (index % 250) };
      const socket = new WebSocket('ws://haproxy:8080/', { headers: { ...headers, ...forged } });
      socket.on('open', () => resolve(101));
      socket.on('error', (error) => resolve(error.message));
      socket.on('unexpected-response', (_request, response) => resolve(response.resume().statusCode));
    });
  for (let index = 0; index < attempts; index += 25) {
    const batch = Array.from({ length: Math.min(25, attempts - index) }, (_, at) => connect(index + at));
    for (const status of await Promise.all(batch)) statuses[status] = (statuses[status] ?? 0) + 1;
  }
  process.stdin.on('end', () => process.exit()).resume();
  console.log(JSON.stringify(statuses));`;
