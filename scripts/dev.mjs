import { main, say } from './lib/project.mjs';
import { prepareFolder, removeFolder, removeOldBuilds } from './lib/build.mjs';
import { onEndRequest } from './lib/ending.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { GatewayNode, nodeEnvironment } from './lib/node.mjs';
import { freePort } from './lib/ports.mjs';
import { WatchCompiler } from './lib/watch-compiler.mjs';

/** One node that is replaced whenever the sources change; the old one gives the port free first. */
class DevNode {
  constructor(folder, env) {
    this.folder = folder;
    this.env = env;
    this.turn = Promise.resolve();
  }

  /** Requests that come while a node stops are met by one start. */
  restart() {
    const request = (this.latest = Symbol());
    this.turn = this.turn.then(() => this.replace(request));
  }

  async replace(request) {
    if (request !== this.latest) return;
    await this.node?.stop();
    if (request !== this.latest) return;
    say(this.node ? 'restarting the node …' : 'starting a node …');
    const node = (this.node = new GatewayNode(this.folder, this.env));
    node.exited.then((code) => {
      if (request === this.latest)
        say(`the node ended with code ${code}; it starts again at the next change`);
    });
  }

  tellErrors() {
    const running = this.node?.isRunning ?? false;
    say(running ? 'type errors: the former node goes on serving' : 'type errors: mend them to start a node');
  }

  async stop() {
    this.latest = undefined;
    await this.turn;
    await this.node?.stop();
  }
}

await main(async () => {
  await ensureInstalled();
  await removeOldBuilds();
  const folder = prepareFolder('dev');
  const port = Number(process.env.SERVER_PORT) || (await freePort());
  const node = new DevNode(folder, {
    ...nodeEnvironment({ DRAIN_DELAY_MS: '0' }),
    SERVER_PORT: String(port),
  });
  say('compiling; changes are watched …');
  const compiler = new WatchCompiler(
    folder,
    () => node.restart(),
    () => node.tellErrors(),
  );
  onEndRequest(() => compiler.stop());
  await compiler.exited;
  await node.stop();
  removeFolder(folder);
});
