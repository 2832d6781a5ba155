import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { tlsServerName } from '../../../src/packet/index.ts';
import { readClientHello } from '../../../src/packet/peek/tls.ts';
import { concat } from '../../helpers/build-packet.ts';

/** What Node's OpenSSL sends first. */
async function clientHello(options: tls.ConnectionOptions): Promise<Uint8Array> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const client = tls.connect({ port, host: '127.0.0.1', ...options });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const [data] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  server.close();
  return Uint8Array.from(data);
}

let hello: Uint8Array;
beforeAll(async () => {
  hello = await clientHello({ servername: 'Www.Example.ORG' });
});

/** The same handshake bytes in records of `size` bytes. */
function inRecords(whole: Uint8Array, size: number): Uint8Array {
  const message = whole.subarray(5);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    parts.push(Uint8Array.of(22, 3, 1, part.length >> 8, part.length), part);
  }
  return concat(...parts);
}

describe('tlsServerName', () => {
  test('of a real ClientHello', () => {
    expect(tlsServerName(hello)).toBe('www.example.org');
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s', async (version) => {
    const bytes = await clientHello({
      servername: 'a.example',
      minVersion: version,
      maxVersion: version,
    });
    expect(tlsServerName(bytes)).toBe('a.example');
  });

  test.each([1, 3, 64, 200])('spread over records of %i bytes', (size) => {
    expect(tlsServerName(inRecords(hello, size))).toBe('www.example.org');
  });

  test('without a name', async () => {
    const bytes = await clientHello({ servername: '' });
    expect(readClientHello(bytes)).toEqual({ kind: 'complete', serverName: null });
  });

  test('every beginning is a partial one', () => {
    for (let length = 1; length < hello.length; length++) {
      const part = hello.subarray(0, length);
      expect([length, readClientHello(part).kind, tlsServerName(part)]).toEqual([
        length,
        'partial',
        null,
      ]);
    }
  });

  test('bytes behind it do not matter', () => {
    expect(tlsServerName(concat(hello, Uint8Array.of(20, 3, 3, 0, 1, 1)))).toBe('www.example.org');
  });

  test.each([
    ['nothing', []],
    ['an alert', [21, 3, 3, 0, 2, 2, 40]],
    ['a ServerHello', [22, 3, 3, 0, 4, 2, 0, 0, 0]],
    ['an empty record', [22, 3, 3, 0, 0]],
    ['an HTTP request', [0x47, 0x45, 0x54, 0x20, 0x2f]],
    ['a length no ClientHello has', [22, 3, 3, 0, 4, 1, 0xff, 0xff, 0xff]],
  ])('%s is none', (_name, bytes) => {
    expect(readClientHello(Uint8Array.from(bytes)).kind).toBe('none');
  });

  test('a name with control characters is none', () => {
    const bytes = hello.slice();
    const at = Buffer.from(bytes).indexOf('Www');
    bytes[at] = 0x1b;
    expect(readClientHello(bytes)).toEqual({ kind: 'complete', serverName: null });
  });

  test('never throws', () => {
    const change = fc.record({ at: fc.nat({ max: hello.length - 1 }), to: fc.nat({ max: 255 }) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), fc.nat(hello.length), (changes, length) => {
        const bytes = hello.slice(0, length);
        for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to;
        tlsServerName(bytes);
      }),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        tlsServerName(bytes);
        tlsServerName(concat(Uint8Array.of(22, 3, 1, 0, 200, 1, 0, 0, 196), bytes));
      }),
    );
  });
});
