import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = new URL('../..', import.meta.url);
const koffi = createRequire(import.meta.url).resolve('koffi');

/** A process with nothing else going on, so that nothing else drains what a callback resolved. */
const PROGRAM = `
  import koffi from ${JSON.stringify(koffi)};
  import { watchReadable } from './dist/linux/sys/poll.js';
  const libc = koffi.load(null);
  const socketpair = libc.func('socketpair', 'int', ['int', 'int', 'int', 'void *']);
  const read = libc.func('read', 'long', ['int', 'void *', 'size_t']);
  const write = libc.func('write', 'long', ['int', 'void *', 'size_t']);
  const pair = new Int32Array(new ArrayBuffer(64), 0, 2);
  socketpair(1, 5, 0, pair);
  const [ours, theirs] = pair;
  const order = [];
  let wake = () => {};
  const watcher = watchReadable(ours, () => {
    read(ours, Buffer.alloc(8), 8);
    order.push('callback');
    process.nextTick(() => order.push('tick'));
    wake();
  }, (error) => { throw error; });
  for (let turn = 0; turn < 3; turn++) {
    const woken = new Promise((resolve) => { wake = resolve; });
    write(theirs, Buffer.from('x'), 1);
    await woken;
    order.push('woken');
  }
  watcher.close();
  console.log(order.join(' '));
`;

test('what a callback resolves goes on in the same turn', async () => {
  const args = ['--input-type=module', '-e', PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: ROOT,
    timeout: 20_000,
  });
  expect(stdout.trim()).toBe(Array(3).fill('callback tick woken').join(' '));
});
