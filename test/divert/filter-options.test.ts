import { afterEach, describe, expect, test } from 'vitest';
import { compileFilter, FilterSet, type Handle, open } from '../../src/index.ts';
import { FakeEvents } from '../helpers/fake-events.ts';
import { FakeKernel } from '../helpers/fake-kernel.ts';
import { build } from '../packet/build.ts';

const handles: Handle[] = [];

afterEach(async () => {
  for (const handle of handles.splice(0)) await handle.close();
});

const code = (name: string) => expect.objectContaining({ code: name });

describe('the dialect of a handle', () => {
  test("is WinDivert's by default, whose errors offer the other one", async () => {
    const opening = open('ip.DstAddr == 10.0.0.0/8', { backend: new FakeKernel() });
    await expect(opening).rejects.toMatchObject({
      code: 'bad-token',
      hint: expect.stringContaining('extended'),
    });
  });

  test('is that of setFilter, too, with the same sets', async () => {
    const kernel = new FakeKernel();
    const ports = new FilterSet([1]);
    const options = { backend: kernel, dialect: 'extended', sets: { ports } } as const;
    const handle = await open('udp.DstPort in { 1..9 }', options);
    handles.push(handle);
    await handle.setFilter('not (udp.DstPort in @ports)');
    kernel.arrive(build(4, 'udp', 11));
    expect(await handle.receive()).toMatchObject({ length: 20 + 8 + 11 });
  });

  test('holds on the event layers', async () => {
    const backend = new FakeEvents();
    const options = { layer: 'flow', backend, dialect: 'extended' } as const;
    const handle = await open('processName == "curl"', options);
    handles.push(handle);
    expect(backend.channels[0]?.filter.usesProcess).toBe(true);
  });

  test.each([
    ['sets without it', { sets: {} }],
    ['another name', { dialect: 'bpf' as never }],
  ])('refused: %s', async (_, options) => {
    const opening = open('udp', { ...options, backend: new FakeKernel() });
    await expect(opening).rejects.toEqual(code('invalid-parameter'));
  });

  test('a compiled filter has its own, but belongs to a layer', async () => {
    const kernel = new FakeKernel();
    const filter = compileFilter('not (tcp)', 'network', { dialect: 'extended' });
    handles.push(await open(filter, { backend: kernel }));
    const opening = open(filter, { layer: 'forward', backend: kernel });
    await expect(opening).rejects.toEqual(code('invalid-parameter'));
  });
});
