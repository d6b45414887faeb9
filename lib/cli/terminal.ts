/** The surroundings of a command: input, output, environment and interruption. */
export interface Terminal {
  /** Writes a line to standard output: the result of the command. */
  out(line: string): void;
  /** Writes bytes to standard output as they are. */
  bytes(content: Buffer): void;
  /** Writes a line to standard error: progress, warnings and errors. */
  note(line: string): void;
  /**
   * Shows how far a long command is, in place of what was shown before; an empty text removes it. Does nothing unless
   * standard error is a terminal.
   */
  progress(text: string): void;
  /** True if standard output is a terminal. */
  readonly isTerminal: boolean;
  /** True if standard output is a terminal that shows colours. */
  readonly hasColors: boolean;
  /** Name of the user of the operating system; `undefined` if it has none. */
  readonly user: string | undefined;
  /** Reads all of standard input. */
  read(): Promise<string>;
  /** Environment variables. */
  readonly env: NodeJS.ProcessEnv;
  /** Working directory. */
  readonly directory: string;
  /** Aborts when the user ends the command. */
  readonly interrupted: AbortSignal;
}

/** The exit codes of the command. */
export const ExitCode = {
  /** The command has done its work and found no problem. */
  OK: 0,
  /** A problem was found, a key is absent, or a write was refused. */
  PROBLEM: 1,
  /** The arguments, the options or the application are wrong. */
  USAGE: 2,
  /** etcd cannot be reached, or denies access. */
  ETCD: 3,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
