/** How long what the tests left may take to end by itself, ms. */
const GRACE_MS = 5_000;

/**
 * Jest's global teardown. A run ends when nothing of it is left, which is at once; what a broken test left, and what
 * our environment could not end, is named and ended with the run.
 */
export default function endRun({ watch, watchAll }) {
  if (watch || watchAll) return;
  setTimeout(() => {
    const what = [...process.getActiveResourcesInfo(), ...handles()].join(', ');
    process.stderr.write(`wss: the tests left this running, and the run ends without it: ${what}\n`);
    // Jest's own listener sets the code of a failed run.
    process.exit();
  }, GRACE_MS).unref();
}

/** Addresses of sockets and servers, and commands of processes. */
function handles() {
  return (process._getActiveHandles?.() ?? []).flatMap((handle) => {
    if (handle.spawnargs) return [`process ${handle.pid} (${handle.spawnargs.join(' ')})`];
    if (handle.remotePort) return [`socket to port ${handle.remotePort}`];
    const address = handle.address?.();
    return address?.port ? [`server or socket on port ${address.port}`] : [];
  });
}
