import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { httpRequest } from '../../../src/packet/index.ts';
import { isPartialHttpRequest } from '../../../src/packet/peek/http.ts';
import { text } from '../../helpers/build-packet.ts';

const lines = (...all: string[]): Uint8Array => text(all.map((line) => `${line}\r\n`).join(''));

describe('httpRequest', () => {
  test('reads a whole head', () => {
    const request = httpRequest(
      lines('GET /a?b=c HTTP/1.1', 'Host: Www.Example.ORG:8080', 'X-A: 1', 'x-a:  2 ', '', 'body'),
    );
    expect(request).toEqual({
      method: 'GET',
      target: '/a?b=c',
      version: '1.1',
      host: 'www.example.org',
      port: 8080,
      headers: new Map([
        ['host', 'Www.Example.ORG:8080'],
        ['x-a', '1, 2'],
      ]),
      complete: true,
    });
  });

  test.each([
    ['a name', 'GET / HTTP/1.1', 'example.org', 'example.org', null],
    ['an IPv6 address', 'GET / HTTP/1.1', '[2001:DB8::1]:81', '2001:db8::1', 81],
    ['an empty one', 'GET / HTTP/1.1', '', null, null],
    ['rubbish', 'GET / HTTP/1.1', 'a b', null, null],
    [
      'a whole URL, which counts',
      'GET http://one.example/x HTTP/1.1',
      'two.example',
      'one.example',
      null,
    ],
    [
      'a URL with a user',
      'GET http://me@one.example:88/x HTTP/1.1',
      'two.example',
      'one.example',
      88,
    ],
    ['CONNECT', 'CONNECT one.example:443 HTTP/1.1', 'two.example', 'one.example', 443],
    ['HTTP/1.0', 'GET / HTTP/1.0', 'example.org', 'example.org', null],
  ])('host: %s', (_name, requestLine, header, host, port) => {
    expect(httpRequest(lines(requestLine, `Host: ${header}`, ''))).toMatchObject({ host, port });
  });

  test.each([
    ['nothing', ''],
    ['a line that is not whole', 'GET / HTTP/1.1'],
    ['an answer', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['no version', 'GET /\r\n\r\n'],
    ['a blank too many', 'GET  / HTTP/1.1\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['a method that is too long', `${'A'.repeat(40)} / HTTP/1.1\r\n`],
    ['bytes', '\u0016\u0003\u0001 / HTTP/1.1\r\n'],
  ])('%s is none', (_name, payload) => {
    expect(httpRequest(text(payload))).toBeNull();
  });

  test('an empty line before and bare line feeds are let pass', () => {
    expect(httpRequest(text('\r\nGET / HTTP/1.1\nHost: a.example\n\n'))).toMatchObject({
      host: 'a.example',
      complete: true,
    });
  });

  test('a head that is not whole has what is there', () => {
    expect(httpRequest(text('GET / HTTP/1.1\r\nHost: a.example\r\nAccept: x'))).toMatchObject({
      host: 'a.example',
      headers: new Map([['host', 'a.example']]),
      complete: false,
    });
  });

  test('a long head of blanks takes no time worth speaking of', () => {
    const blanks = `GET / HTTP/1.1\r\nA:${' '.repeat(60_000)}x${' '.repeat(60_000)}\r\n`;
    expect(httpRequest(text(blanks))?.complete).toBe(false);
  });

  test('every beginning of a request is a partial one, and the whole is not', () => {
    const whole = lines('POST /form HTTP/1.1', 'Host: a.example', 'Content-Length: 0', '');
    for (let length = 1; length < whole.length; length++) {
      expect([length, isPartialHttpRequest(whole.subarray(0, length))]).toEqual([length, true]);
    }
    expect(isPartialHttpRequest(whole)).toBe(false);
    expect(isPartialHttpRequest(text('\u0016\u0003\u0001'))).toBe(false);
  });

  test('never throws', () => {
    const word = fc.constantFrom('GET', ' ', '/', 'HTTP/1.1', '\r\n', 'Host', ':', '\n', '[', '\0');
    const near = fc.array(word, { maxLength: 30 }).map((words) => text(words.join('')));
    fc.assert(
      fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        httpRequest(bytes);
        isPartialHttpRequest(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});
