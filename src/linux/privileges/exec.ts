/**
 * Running the program of this process anew, in its place (execve(2)).
 *
 * @module
 */
import { F_SETFD } from '../sys/constants.ts';
import { check, libc } from '../sys/libc.ts';
import { allocate, cString, type Memory } from '../sys/memory.ts';

const POINTER_BYTES = 8;
const STANDARD_STREAMS = [0, 1, 2];

/**
 * Replaces this process by a new run of the same program: same number, arguments and standard streams.
 * Does not return.
 *
 * @param environment for the new run
 * @throws {@link SystemError} when the kernel refuses
 */
export function restartProgram(environment: NodeJS.ProcessEnv): never {
  const path = cString(process.execPath);
  const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const vectors = [toVector(program), toVector(variables)] as const;
  // Node.js marks all it was given as closed by execve(2).
  for (const fd of STANDARD_STREAMS) libc.fcntl(fd, F_SETFD, 0);
  const result = libc.execve(path, vectors[0].vector.bytes, vectors[1].vector.bytes);
  check(result, 'execve', `run ${process.execPath} again`);
  throw new Error('execve came back without an error.');
}

/** NUL-terminated strings, and the addresses of them with a null behind. */
interface Vector {
  readonly strings: Memory;
  readonly vector: Memory;
}

function toVector(strings: readonly string[]): Vector {
  const encoded = strings.map((text) => cString(text));
  const memory = allocate(encoded.reduce((sum, { length }) => sum + length, 0));
  const vector = allocate((strings.length + 1) * POINTER_BYTES);
  let offset = 0;
  for (const [index, text] of encoded.entries()) {
    memory.bytes.set(text, offset);
    vector.view.setBigUint64(index * POINTER_BYTES, memory.address + BigInt(offset), true);
    offset += text.length;
  }
  return { strings: memory, vector };
}
