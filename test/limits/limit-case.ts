import type { TestClient } from '@wss/testing';
import type { NodeOptions, Scene } from './scene.js';

/** The outcome of a limit that was met. */
export interface Met {
  /** The answer to each attempt beyond the limit: an error's code, a status or a close code; none where nothing is refused. */
  readonly codes: readonly (string | number)[];
  /** How often the metric must have counted it, if not once for each of the codes. */
  readonly times?: { readonly from: number; readonly to: number };
  /** Connections that must go on. */
  readonly stays?: readonly TestClient[];
}

/** A way to meet a limit, from outside. */
export interface LimitCase {
  /** Told in the test's title, where the row has several cases. */
  readonly way?: string;
  /** The answer that the table promises; absent where nothing is refused. */
  readonly code?: string;
  /** The metric that counts it, as the table has it. Default: the only one of the row; `null`: none. */
  readonly metric?: string | null;
  readonly options?: NodeOptions;
  /** Opens the scene, where that takes more than options. */
  readonly open?: () => Promise<Scene>;
  meet(scene: Scene): Promise<Met>;
}

/** The cases of a row, by the text of its first column or the beginning of that. */
export type LimitCases = Readonly<Record<string, readonly LimitCase[]>>;
