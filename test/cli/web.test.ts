import { expect, test } from 'vitest';
import { answerPacket, blockPage, blockResponse } from '../../src/cli/web/block-page.ts';
import { BlockList } from '../../src/cli/web/blocklist.ts';
import { calcChecksums } from '../../src/packet/checksum.ts';
import { Packet, parsePacket } from '../../src/packet/index.ts';

const LIST = `
# comment
ads.example
*.tracker.example   # and what is below
.dots.example
0.0.0.0 hosts.example more.example
::1 six.example
MIXED.Example.
bücher.example
not a/name
`;

test('lists: names, wildcards, hosts files; lines that are none', () => {
  const list = new BlockList();
  list.addText(LIST);
  expect(list.bad).toEqual([{ number: 10, text: 'not a/name' }]);
  expect(list.size).toBe(8);
});

test.each([
  ['ads.example', 'ads.example'],
  ['www.ads.example', 'ads.example'],
  ['ADS.example.', 'ads.example'],
  ['badads.example', null],
  ['example', null],
  ['x.tracker.example', 'tracker.example'],
  ['dots.example', 'dots.example'],
  ['more.example', 'more.example'],
  ['six.example', 'six.example'],
  ['mixed.example', 'mixed.example'],
])('%s is blocked by %s', (host, entry) => {
  const list = new BlockList();
  list.addText(LIST);
  expect(list.find(host)).toBe(entry);
});

test('the page names the host, and nothing of it is markup', () => {
  expect(blockPage('<b>"&')).toContain('&#60;b&#62;&#34;&#38;');
});

test.each([
  ['IPv4', '45000031 0000 4000 4006 0000 0a000001 0a000002', 20],
  [
    'IPv6',
    '60000000 001d 06 40 fd000000000000000000000000000001 fd000000000000000000000000000002',
    40,
  ],
])(
  'the answer over %s comes from the server, with the numbers it would have',
  (_name, head, start) => {
    const segment = '9c40 0050 00000064 000000c8 5018 0200 0000 0000 474554202f0d0a0d0a';
    const request = new Packet(Buffer.from((head + segment).replace(/\s/g, ''), 'hex'), {
      outbound: true,
    });
    const response = blockResponse(blockPage('ads.example'));
    const bytes = answerPacket(request, response);
    if (bytes === null) throw new Error('no answer');
    const answer = new Packet(bytes, { outbound: false });
    expect(parsePacket(bytes)).toMatchObject({ dataLength: response.length });
    expect(answer.tcp).toMatchObject({
      srcPort: 80,
      dstPort: 40_000,
      sequenceNumber: 200,
      acknowledgmentNumber: 109,
      fin: true,
      psh: true,
      ack: true,
      syn: false,
      rst: false,
    });
    expect((answer.ip ?? answer.ipv6)?.srcAddr).toEqual((request.ip ?? request.ipv6)?.dstAddr);
    expect(Buffer.from(answer.payload).toString()).toMatch(
      /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*ads\.example/,
    );
    const again = bytes.slice();
    calcChecksums(again);
    expect(again).toEqual(bytes);
    expect(bytes.length).toBe(start + 20 + response.length);
  },
);

test('what is not TCP has no answer', () => {
  const icmp = new Packet(
    Buffer.from('4500001c0000000040010000' + '0a000001' + '0a0000020800000000000000', 'hex'),
    {},
  );
  expect(answerPacket(icmp, new Uint8Array(1))).toBeNull();
});
