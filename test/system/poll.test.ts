import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { ensureBuilt } from '../helpers/command.ts';

beforeAll(ensureBuilt, 60_000);

const ROOT = new URL('../..', import.meta.url);
const koffi = createRequire(import.meta.url).resolve('koffi');

const LIBRARY = `
  import koffi from ${JSON.stringify(koffi)};
  import { watchReadable } from './dist/linux/sys/poll.js';
  const libc = koffi.load(null);
  const socketpair = libc.func('socketpair', 'int', ['int', 'int', 'int', 'void *']);
  const read = libc.func('read', 'long', ['int', 'void *', 'size_t']);
  const write = libc.func('write', 'long', ['int', 'void *', 'size_t']);
  function makePair() {
    const pair = new Int32Array(new ArrayBuffer(64), 0, 2);
    socketpair(1, 5, 0, pair);
    return pair;
  }
  const onError = (error) => { throw error; };
`;

/** A process with nothing else going on, so that nothing else drains what a callback resolved. */
const ALONE = `
  const [ours, theirs] = makePair();
  const order = [];
  let wake = () => {};
  const watcher = watchReadable(ours, () => {
    read(ours, Buffer.alloc(8), 8);
    order.push('callback');
    process.nextTick(() => order.push('tick'));
    wake();
  }, onError);
  for (let turn = 0; turn < 3; turn++) {
    const woken = new Promise((resolve) => { wake = resolve; });
    write(theirs, Buffer.from('x'), 1);
    await woken;
    order.push('woken');
  }
  watcher.close();
  console.log(order.join(' '));
`;

/** The first callback comes together with others, which drain what it resolved; the second one comes alone. */
const TOGETHER = `
  import { spawn } from 'node:child_process';
  import { stat } from 'node:fs';
  const pairs = Array.from({ length: 5 }, makePair);
  const order = [];
  const watchers = pairs.map(([ours], index) => {
    let wake = () => {};
    const turns = async () => {
      for (let turn = 0; turn < 2; turn++) {
        await new Promise((resolve) => { wake = resolve; });
        if (turn > 0) order.push(index);
      }
    };
    void turns();
    return watchReadable(ours, () => { read(ours, Buffer.alloc(8), 8); wake(); }, onError);
  });
  setTimeout(() => {
    for (const [, theirs] of pairs) write(theirs, Buffer.from('x'), 1);
    // Its callback comes behind theirs in the same turn, as it is done when the turn begins.
    stat('/', () => {});
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }, 50);
  setTimeout(() => {
    const stdio = ['ignore', 'ignore', 'ignore', ...pairs.map(([, theirs]) => theirs)];
    const child = spawn('sh', ['-c', 'sleep 1; for fd in 3 4 5 6 7; do printf x >&$fd; done; sleep 1'], { stdio });
    child.once('exit', () => {
      console.log(order.sort().join(' '), 'exit');
      for (const watcher of watchers) watcher.close();
    });
  }, 300);
`;

async function run(program: string): Promise<string> {
  const args = ['--input-type=module', '-e', LIBRARY + program];
  const options = { cwd: ROOT, timeout: 20_000 };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  return stdout.trim();
}

test('what a callback resolves goes on in the same turn', async () => {
  expect(await run(ALONE)).toBe(Array(3).fill('callback tick woken').join(' '));
});

test('so it does when the first callback was one of several', async () => {
  expect(await run(TOGETHER)).toBe('0 1 2 3 4 exit');
});
