/**
 * Whose packet it is.
 *
 * @module
 */

/** The process a packet belongs to. */
export interface ProcessInfo {
  readonly pid: number;
  /** As the kernel names it, at most 15 characters. */
  readonly name: string;
  /** Path of the program, where it could be read. */
  readonly executable: string | null;
  readonly commandLine: readonly string[] | null;
  readonly userId: number | null;
  /** Path of the control group. */
  readonly cgroup: string | null;
  /** `certain`: from the socket itself. */
  readonly confidence: 'certain' | 'likely';
}
