/**
 * Three network namespaces in a row, client - router - server, joined by veth pairs. Nothing of
 * the machine's own network is touched.
 */

import { execFile, execFileSync, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const NAMES = ['client', 'router', 'server'];
const SETTINGS = [
  'net.ipv6.conf.default.accept_dad=0',
  'net.ipv6.conf.all.disable_ipv6=0',
  'net.ipv6.conf.default.disable_ipv6=0',
  'net.ipv6.conf.all.forwarding=1',
  'net.ipv4.ip_forward=1',
];
const MAX_OUTPUT_BYTES = 64 << 20;

/** @returns `{ client, router, server, close }`; an end has its name, path, addresses, `run` and `start` */
export function createNetwork() {
  const prefix = `ndk-${process.pid}`;
  const children = new Set();
  const [client, router, server] = NAMES.map((role) => makeEnd(`${prefix}-${role}`, children));
  joinEnds(client, 1, router);
  joinEnds(server, 2, router);
  client.ipv4 = '10.98.1.1';
  client.ipv6 = 'fd00:98:1::1';
  server.ipv4 = '10.98.2.1';
  server.ipv6 = 'fd00:98:2::1';
  const close = () => {
    for (const child of children) child.kill('SIGKILL');
    for (const { name } of [client, router, server]) ip('netns', 'delete', name);
  };
  return { client, router, server, close };
}

function makeEnd(name, children) {
  ip('netns', 'add', name);
  const path = `/run/netns/${name}`;
  const inside = (file, args) => [`--net=${path}`, '--', file, ...args];
  execFileSync('nsenter', inside('sh', ['-c', SETTINGS.map(writeSetting).join(';')]));
  ip('-n', name, 'link', 'set', 'lo', 'up');
  return {
    name,
    path,
    /** Runs a program inside to its end; returns what it printed, throws when it fails. */
    run: async (file, ...args) => {
      const options = { encoding: 'utf8', maxBuffer: MAX_OUTPUT_BYTES };
      return (await promisify(execFile)('nsenter', inside(file, args.map(String)), options)).stdout;
    },
    /** Starts a program inside; it is killed when the network is closed. */
    start: (file, ...args) => {
      const child = spawn('nsenter', inside(file, args.map(String)));
      children.add(child);
      child.once('exit', () => children.delete(child));
      return child;
    },
  };
}

/** `end` gets host 1 of network `subnet`, the router host 254, and a route to everywhere. */
function joinEnds(end, subnet, router) {
  const side = `veth${subnet}`;
  const pair = ['link', 'add', 'veth0', 'netns', end.name, 'type', 'veth'];
  ip(...pair, 'peer', 'name', side, 'netns', router.name);
  for (const [at, device, host4, host6] of [
    [end, 'veth0', '1', '1'],
    [router, side, '254', 'fe'],
  ]) {
    ip('-n', at.name, 'addr', 'add', `10.98.${subnet}.${host4}/24`, 'dev', device);
    ip('-n', at.name, 'addr', 'add', `fd00:98:${subnet}::${host6}/64`, 'dev', device, 'nodad');
    ip('-n', at.name, 'link', 'set', device, 'up');
  }
  ip('-n', end.name, 'route', 'add', 'default', 'via', `10.98.${subnet}.254`);
  ip('-n', end.name, '-6', 'route', 'add', 'default', 'via', `fd00:98:${subnet}::fe`);
}

function writeSetting(setting) {
  const [key, value] = setting.split('=');
  return `echo ${value} > /proc/sys/${key.replaceAll('.', '/')}`;
}

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
