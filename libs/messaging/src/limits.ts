/** Largest frame that a client may send, bytes. */
export const MAX_FRAME_BYTES = 65_536;

/**
 * Connections that wait until a busy node takes them; the kernel lowers it to `net.core.somaxconn`. Beyond it clients
 * believe that they are connected and send into the void, for up to minutes. Node's own default is 511.
 */
export const LISTEN_BACKLOG = 65_535;
