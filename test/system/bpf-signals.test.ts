import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { compileFilter } from '../../src/filter/compile.ts';
import { compileBpf } from '../../src/filter/emit-bpf.ts';
import { loadProgram } from '../../src/linux/bpf/program.ts';
import { withoutSignals } from '../../src/linux/sys/signals.ts';

test('a program loads while signals rain on the process', async () => {
  const { tests } = compileFilter('tcp.PayloadLength > 0 and tcp.Payload32[0] == 0x47455420');
  const { instructions } = compileBpf(tests, { layer: 'network', direction: 'inbound' });
  let signals = 0;
  const count = (): void => {
    signals++;
  };
  process.on('SIGUSR2', count);
  const rain = spawn('sh', ['-c', `while kill -USR2 ${process.pid}; do :; done`]);
  await sleep(50);
  for (let load = 0; load < 50; load++) loadProgram(instructions, { name: 'rain' }).close();
  rain.kill('SIGKILL');
  await sleep(50);
  process.off('SIGUSR2', count);
  expect(signals).toBeGreaterThan(0);
});

test('signals that were held back come in afterwards', async () => {
  const came = new Promise((resolve) => process.once('SIGUSR2', () => resolve('came')));
  withoutSignals(() => process.kill(process.pid, 'SIGUSR2'));
  expect(await came).toBe('came');
});
