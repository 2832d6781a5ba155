/**
 * Which hooks a filter of the socket layer needs: what it cannot match costs nothing.
 */
import { describe, expect, test } from 'vitest';
import { decodeInstructions, encodeInstructions } from '../../src/bpf/instruction.ts';
import { FilterSet } from '../../src/filter/extended/filter-set.ts';
import { compileFilter } from '../../src/filter/index.ts';
import { BPF_ATTACH_TYPE } from '../../src/linux/bpf/constants.ts';
import { buildProgram, planHooks } from '../../src/linux/socket-layer/hooks.ts';
import type { ProgramOptions } from '../../src/linux/socket-layer/report.ts';

type Mode = ProgramOptions['mode'];

const NAMES = new Map<number, string>(
  Object.entries(BPF_ATTACH_TYPE).map(([name, type]) => [
    type,
    name.replace(/^BPF_(CGROUP_)?/, '').toLowerCase(),
  ]),
);

function hooksOf(filter: string, mode: Mode): string[] {
  const { tests } = compileFilter(filter, 'socket');
  return planHooks(tests, mode).hooks.map(({ attachType }) => NAMES.get(attachType) ?? '');
}

const BIND = ['inet4_post_bind', 'inet6_post_bind'];
const CONNECT = ['inet4_connect', 'inet6_connect'];
const SEND = ['udp4_sendmsg', 'udp6_sendmsg'];
const INGRESS = 'inet_ingress';
const RELEASE = 'inet_sock_release';
const ALL = [...BIND, ...CONNECT, ...SEND, 'sock_ops', INGRESS, RELEASE];

describe('hooks', () => {
  test.each<[string, Mode, string[]]>([
    ['event == BIND', 'divert', BIND],
    ['event == BIND', 'sniff', BIND],
    ['event == CONNECT and tcp', 'divert', CONNECT],
    ['event == CONNECT and tcp', 'sniff', [...CONNECT, 'sock_ops']],
    ['event == CONNECT and udp', 'drop', [...CONNECT, ...SEND, INGRESS]],
    ['event == LISTEN', 'sniff', ['sock_ops']],
    ['event == LISTEN', 'divert', ['sock_ops', RELEASE, 'sk_lookup']],
    ['event == ACCEPT and tcp', 'sniff', ['sock_ops']],
    ['event == ACCEPT and tcp', 'divert', ['sock_ops', RELEASE, 'sk_lookup']],
    ['event == ACCEPT and udp', 'sniff', [...BIND, ...SEND, INGRESS]],
    ['event == CLOSE', 'drop', []],
    ['event == CLOSE', 'sniff', [...BIND, ...CONNECT, ...SEND, 'sock_ops', RELEASE]],
    ['true', 'sniff', ALL],
    ['true', 'divert', [...ALL, 'sk_lookup']],
    [
      'processId == 7 and event != CLOSE and tcp',
      'drop',
      [...BIND, ...CONNECT, 'sock_ops', RELEASE, 'sk_lookup'],
    ],
    ['icmp', 'sniff', []],
    ['false', 'divert', []],
  ])('%s, %s', (filter, mode, expected) => {
    expect(hooksOf(filter, mode)).toEqual(expected);
  });
});

describe('programs', () => {
  const base: Omit<ProgramOptions, 'mode' | 'tests' | 'sets' | 'hasReturnValue' | 'errno'> = {
    knowsProcessInCallbacks: true,
    seesNamespaceOfPackets: true,
    namespaceCookie: 4096n,
    generation: 1,
    ringFd: 3,
    countersFd: 4,
    stateFd: 5,
    boundFd: 6,
    flowsFd: 7,
    trackerFd: 8,
    namesFd: 9,
    tracksPorts: true,
    tracksFlows: true,
    reportsClose: true,
  };
  const SET_RETVAL = 187;

  test.each([
    [true, 2],
    [false, 0],
  ])('a chosen errno needs bpf_set_retval: %s', (hasReturnValue, expected) => {
    const { tests } = compileFilter('event == BIND', 'socket');
    const { hooks } = planHooks(tests, 'divert');
    const sets = new Map();
    const options = { ...base, tests, sets, mode: 'divert' as const, hasReturnValue, errno: 13 };
    const calls = hooks.flatMap((hook) =>
      decodeInstructions(encodeInstructions(buildProgram(hook, options))).filter(
        ({ opcode, immediate }) => opcode === 0x85 && immediate === SET_RETVAL,
      ),
    );
    expect(calls).toHaveLength(expected);
  });

  test('a filter names a set that has no maps: a RangeError, not a program that blocks too much', () => {
    const ports = new FilterSet();
    const { tests } = compileFilter('event == CONNECT and remotePort in @ports', 'socket', {
      dialect: 'extended',
      sets: { ports },
    });
    const { hooks } = planHooks(tests, 'divert');
    const options = { ...base, tests, mode: 'divert' as const, hasReturnValue: true, errno: 1 };
    const build = (sets: ProgramOptions['sets']) =>
      hooks.map((hook) => buildProgram(hook, { ...options, sets }).length);
    expect(() => build(new Map())).toThrow(RangeError);
    expect(build(new Map([[ports, { values: 10, prefixes: 11 }]]))).toHaveLength(hooks.length);
  });
});
