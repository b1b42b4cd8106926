import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Centrifugo on its engine in memory, or over Redis; with `HISTORY=1` it keeps 1,000 messages of a channel for an hour
 * and watches positions, which is nearest to a log. Ends with its child and the other way round.
 */
const { PORT, REDIS_SERVER, HISTORY } = process.env;
const history = { history_size: 1_000, history_ttl: '3600s', force_positioning: true };
const folder = mkdtempSync(join(tmpdir(), 'wss-centrifugo-'));
const path = join(folder, 'config.json');
writeFileSync(
  path,
  JSON.stringify({
    http_server: { address: '127.0.0.1', port: PORT },
    log: { level: 'error' },
    client: { insecure: true, allowed_origins: ['*'], channel_limit: 1_000 },
    channel: {
      without_namespace: {
        allow_subscribe_for_client: true,
        allow_publish_for_client: true,
        ...(HISTORY && history),
      },
    },
    engine: REDIS_SERVER ? { type: 'redis', redis: { address: REDIS_SERVER } } : { type: 'memory' },
  }),
);

const child = spawn(process.argv[2], ['-c', path], { stdio: 'ignore' });
child.once('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
child.once('exit', (code) => process.exit(code ?? 1));
process.once('SIGTERM', () => child.kill('SIGKILL'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
