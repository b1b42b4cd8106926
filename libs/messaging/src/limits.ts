/** Largest frame that a client may send, bytes. */
export const MAX_FRAME_BYTES = 65_536;
