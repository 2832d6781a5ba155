import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { DivertError } from '../../src/errors.ts';
import {
  type NetworkHandle,
  open,
  type ReflectEvent,
  type ReflectHandle,
} from '../../src/index.ts';
import { listHandles } from '../../src/linux/registry/list-handles.ts';
import { ProcessWatch } from '../../src/linux/registry/process-watch.ts';
import { BpfFaults } from '../faults/bpf-faults.ts';
import { HandleProcess } from '../helpers/handle-process.ts';
import { countDescriptors, programsOf } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';

const PRIORITY = 12_346;
const FILTER = `priority == ${PRIORITY}`;
/** Several of the looks that a reflect handle takes. */
const LOOKS_MS = 250;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());
const faults = new BpfFaults();
afterEach(() => faults.end());

const openHandle = (): Promise<NetworkHandle> =>
  open('udp', { priority: PRIORITY, namespace: net.b.path, mode: 'sniff' });

/** The events of a reflect handle, as they come. */
class Watcher implements AsyncDisposable {
  readonly handle: ReflectHandle;
  readonly events: string[] = [];

  private constructor(handle: ReflectHandle) {
    this.handle = handle;
    void this.#collect();
  }

  static async open(filter = FILTER): Promise<Watcher> {
    return new Watcher(await open(filter, { layer: 'reflect' }));
  }

  async rest(): Promise<string[]> {
    await sleep(LOOKS_MS);
    return this.events.splice(0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.handle.close();
  }

  async #collect(): Promise<void> {
    for await (const { event } of this.handle as AsyncIterable<ReflectEvent>) {
      this.events.push(event);
    }
  }
}

/** The kernel frees programs somewhat later. */
async function expectPrograms(count: number): Promise<void> {
  for (let tries = 0; programsOf(process.pid).length !== count && tries < 200; tries++) {
    await sleep(10);
  }
  expect(programsOf(process.pid)).toHaveLength(count);
}

test('a reflect handle that cannot be opened leaves no program behind', async () => {
  const descriptors = countDescriptors();
  faults.begin('BPF_OBJ_GET_INFO_BY_FD', 'EINVAL');
  const opening = open(FILTER, { layer: 'reflect' });
  await expect(opening).rejects.toThrow('Cannot ask about a map or program: EINVAL');
  faults.end();
  expect(countDescriptors()).toBe(descriptors);
  await expectPrograms(0);
});

test('a filter that cannot be announced leaves the one before it', async () => {
  await using watcher = await Watcher.open();
  faults.begin('BPF_MAP_UPDATE_ELEM', 'EPERM');
  await expect(watcher.handle.setFilter('false')).rejects.toThrow(DivertError);
  faults.end();
  await expectPrograms(1);
  await (await openHandle()).close();
  expect(await watcher.rest()).toEqual(['open', 'close']);
  await watcher.handle.close();
  await expectPrograms(0);
});

test.each([
  // The first map looked for is that of the reflect handle.
  ['BPF_MAP_GET_FD_BY_ID', 'EMFILE'],
  ['BPF_PROG_GET_FD_BY_ID', 'EMFILE'],
  ['BPF_MAP_LOOKUP_ELEM', 'ENOMEM'],
  ['BPF_OBJ_GET_INFO_BY_FD', 'ENOMEM'],
  ['BPF_PROG_TEST_RUN', 'ENOMEM'],
] as const)('a handle that could not say that it opened: %s', async (command, errno) => {
  await using watcher = await Watcher.open();
  // Reading what its own map is numbered is the first such call, and the handle's own.
  faults.begin(command, errno, command === 'BPF_OBJ_GET_INFO_BY_FD' ? 1 : 0);
  const handle = await openHandle();
  expect(faults.count).toBeGreaterThan(0);
  faults.end();
  await handle.close();
  expect(await watcher.rest()).toEqual(['open', 'close']);
  // It is as before.
  await (await openHandle()).close();
  expect(await watcher.rest()).toEqual(['open', 'close']);
});

test('a handle that could say neither is found as long as it is open', async () => {
  await using watcher = await Watcher.open();
  faults.begin('BPF_PROG_TEST_RUN', 'ENOMEM');
  const handle = await openHandle();
  faults.end();
  expect(await watcher.rest()).toEqual(['open']);
  faults.begin('BPF_PROG_GET_FD_BY_ID', 'EMFILE');
  await handle.close();
  expect(await watcher.rest()).toEqual(['close']);
});

test('too many open files: no handle is taken for closed, or left out', async () => {
  await using handle = await openHandle();
  await using watcher = await Watcher.open();
  expect(await watcher.rest()).toEqual(['open']);
  faults.begin('BPF_MAP_GET_FD_BY_ID', 'EMFILE');
  expect(await watcher.rest()).toEqual([]);
  expect(() => listHandles()).toThrow('EMFILE');
  await expect(Watcher.open()).rejects.toThrow('EMFILE');
  faults.end();
  await handle.close();
  expect(await watcher.rest()).toEqual(['close']);
});

test('a closed watch of processes holds none', async () => {
  await using other = await HandleProcess.start();
  const watch = new ProcessWatch(
    () => {},
    () => {},
  );
  const descriptors = countDescriptors();
  watch.add(other.pid);
  expect(countDescriptors()).toBe(descriptors + 1);
  watch.close();
  watch.add(other.pid);
  expect(countDescriptors()).toBe(descriptors);
});
