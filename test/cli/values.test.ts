import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { fileNameAt } from '../../src/cli/capture-names.ts';
import { matchesProcess, parseProcessSpec, restrictToProcess } from '../../src/cli/process-spec.ts';
import {
  parseDelay,
  parseDuration,
  parseEndpoint,
  parsePort,
  parseRate,
  parseShare,
  parseSize,
} from '../../src/cli/values.ts';
import { compileFilter } from '../../src/filter/index.ts';

test.each<[name: string, parse: (text: string) => unknown, text: string, value: unknown]>([
  ['seconds', parseDuration, '10', 10_000],
  ['seconds with a unit', parseDuration, '1.5s', 1500],
  ['milliseconds', parseDuration, '500ms', 500],
  ['minutes', parseDuration, '5m', 300_000],
  ['hours', parseDuration, '1h', 3_600_000],
  ['a delay', parseDelay, '100', 100],
  ['no delay', parseDelay, '0', 0],
  ['a delay with a unit', parseDelay, '2s', 2000],
  ['bytes', parseSize, '500000', 500_000],
  ['kibibytes', parseSize, '64k', 65_536],
  ['mebibytes', parseSize, '10M', 10_485_760],
  ['gibibytes', parseSize, '1GiB', 1_073_741_824],
  ['bits', parseRate, '800', 800],
  ['kilobits', parseRate, '800kbit', 800_000],
  ['megabits', parseRate, '2Mbit/s', 2_000_000],
  ['per cent', parseShare, '5%', 0.05],
  ['a share', parseShare, '0.05', 0.05],
  ['a port', parsePort, '443', 443],
  ['an address', parseEndpoint, '10.0.0.1:80', { host: '10.0.0.1', port: 80 }],
  ['an IPv6 address', parseEndpoint, '[::1]:80', { host: '::1', port: 80 }],
  ['a name', parseEndpoint, 'localhost:80', { host: 'localhost', port: 80 }],
  ['a port of this host', parseEndpoint, '8080', { host: '127.0.0.1', port: 8080 }],
])('%s', (_name, parse, text, value) => {
  expect(parse(text)).toEqual(value);
});

test.each<[name: string, parse: (text: string) => unknown, text: string]>([
  ['no time', parseDuration, '0'],
  ['a time in words', parseDuration, 'soon'],
  ['a time of months', parseDuration, '10000h'],
  ['a negative time', parseDuration, '-1'],
  ['no size', parseSize, '0'],
  ['a rate without number', parseRate, 'mbit'],
  ['more than all', parseShare, '101%'],
  ['less than nothing', parseShare, '-1%'],
  ['port 0', parsePort, '0'],
  ['port 65536', parsePort, '65536'],
  ['an address without port', parseEndpoint, '10.0.0.1'],
  ['an IPv6 address without brackets', parseEndpoint, '::1:80'],
  ['no process', parseProcessSpec, ''],
  ['not nobody', parseProcessSpec, '!'],
  ['a process with a quote', parseProcessSpec, 'a"b'],
])('%s is refused', (_name, parse, text) => {
  expect(() => parse(text)).toThrow(InvalidArgumentError);
});

test.each([
  ['curl', 'true', 'processName == "curl"'],
  ['4711', 'tcp', '(tcp) and processId == 4711'],
  ['!curl', 'tcp or udp', '(tcp or udp) and processName != "curl"'],
  ['curl,4711', 'true', '(processName == "curl" or processId == 4711)'],
  ['curl,!4711', 'ip', '(ip) and processName == "curl" and processId != 4711'],
])('--process %s of %s', (text, filter, expected) => {
  const restricted = restrictToProcess(filter, parseProcessSpec(text));
  expect(restricted).toBe(expected);
  expect(compileFilter(restricted, 'network', { dialect: 'extended' }).tests).not.toEqual([]);
});

test.each([
  ['curl', { pid: 1, name: 'curl' }, true],
  ['curl', { pid: 1, name: 'wget' }, false],
  ['curl', null, false],
  ['!curl', { pid: 1, name: 'wget' }, true],
  ['!curl', null, true],
  ['1', { pid: 1, name: null }, true],
  ['curl,wget', { pid: 1, name: 'wget' }, true],
  ['curl,!1', { pid: 1, name: 'curl' }, false],
  ['a-name-of-more-than-15-bytes', { pid: 1, name: 'a-name-of-more-' }, true],
])('--process %s: %o is meant: %s', (text, process, expected) => {
  expect(matchesProcess(process, parseProcessSpec(text))).toBe(expected);
});

const TIME = new Date(2026, 0, 2, 3, 4, 5);

test.each<
  [name: string, path: string, index: number, fileCount: number | undefined, expected: string]
>([
  ['the only file', 'a.pcapng', 0, undefined, 'a.pcapng'],
  ['the third file', 'a.pcapng', 2, undefined, 'a.pcapng2'],
  ['the first of three', 'a', 0, 3, 'a0'],
  ['the fourth of three writes over the first', 'a', 3, 3, 'a0'],
  ['the eleventh of twelve', 'a', 10, 12, 'a10'],
  ['the second of twelve', 'a', 1, 12, 'a01'],
  ['named by time', 'a-%Y%m%d-%H%M%S', 4, undefined, 'a-20260102-030405'],
  ['a per cent sign', 'a%%', 0, undefined, 'a%'],
])('name of %s', (_name, path, index, fileCount, expected) => {
  expect(fileNameAt(path, index, TIME, { fileCount })).toBe(expected);
});
