import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createNetwork, sweepStaleNetworks } from '../helpers/namespaces.ts';

test('two namespaces reach each other over IPv4 and IPv6 and are removed', async () => {
  let paths: string[];
  {
    await using net = await createNetwork();
    paths = [net.a.path, net.b.path];
    const server = net.b.spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import net from 'node:net';
       net.createServer((s) => s.end('hello')).listen(8080, '::', () => console.log('ready'));`,
    ]);
    await new Promise((resolve) => server.stdout?.once('data', resolve));
    for (const host of [net.b.ipv4, net.b.ipv6]) {
      const client = await net.a.node(
        `import net from 'node:net';
         net.connect(8080, process.argv[1]).on('data', (d) => console.log(String(d)));`,
        [host],
      );
      expect(client).toEqual({ code: 0, stdout: 'hello\n', stderr: '' });
    }
    expect(net.a.interfaceIndex).toBeGreaterThan(1);
    expect(await net.a.exec('sh', ['-c', 'cat; exit 3'], { input: 'in' })).toEqual({
      code: 3,
      stdout: 'in',
      stderr: '',
    });
    expect(paths.map((path) => existsSync(path))).toEqual([true, true]);
  }
  expect(paths.map((path) => existsSync(path))).toEqual([false, false]);
});

test('namespaces of a process that is gone are swept', () => {
  const gone = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim();
  const name = `ndt-${gone}-1-a`;
  execFileSync('ip', ['netns', 'add', name]);
  sweepStaleNetworks();
  expect(existsSync(`/run/netns/${name}`)).toBe(false);
});
