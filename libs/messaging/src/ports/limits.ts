/**
 * Largest number of rooms that a session, or a connection without one, may be in at a time, unless the application
 * says otherwise.
 */
export const MAX_ROOMS = 1_000;

/** Largest frame that a client may send, bytes. */
export const MAX_FRAME_BYTES = 65_536;

/**
 * Frames that a client may send per second unless the application says otherwise, control frames and fragments
 * included; beyond that, and what it saved, it is read slowly.
 */
export const FRAMES_PER_SECOND = 1_000;

/** The same for bytes of frames. */
export const BYTES_PER_SECOND = 1_048_576;

/** Largest number of fragments of a message, and of pieces in which the network may bring a frame. */
export const MAX_FRAGMENTS = 1_024;

/**
 * Largest number of a connection's commands under way or waiting (R29); further frames are read when one is answered.
 */
export const MAX_COMMANDS = 256;

/** The same for the frames that brought them, bytes. */
export const MAX_COMMAND_BYTES = 1_048_576;

/** How long a handshake may take unless the application says otherwise, ms. */
export const HANDSHAKE_MS = 10_000;

/** How long frames of a client wait for the connection hooks of gateways, ms. */
export const MAX_HOOK_MS = 5_000;

/** The most bytes of frames that wait for them. */
export const MAX_HELD_BYTES = 1_048_576;

/** About what a frame that waits costs beside its bytes. */
export const HELD_FRAME_BYTES = 128;

/** How far the clocks of a node and of the issuer of tokens may differ, ms (R30). */
export const IDENTITY_LEEWAY_MS = 2_000;

/**
 * Connections that wait until a busy node takes them; the kernel lowers it to `net.core.somaxconn`. Clients beyond it
 * believe that they are connected and send into the void, for up to minutes. Node's own default is 511.
 */
export const LISTEN_BACKLOG = 65_535;
