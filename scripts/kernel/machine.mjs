/** A virtual machine that runs one command on a kernel, with this machine's file system. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeArchive } from './initramfs.mjs';

const MAIN = new URL('./guest-main.sh', import.meta.url);
/** Environment variables the command gets too. */
const KEPT = ['HOME', 'LANG', 'TERM', 'CI', 'NO_COLOR', 'SEED'];
/** Programs of Debian's packages first: those that version managers put in front of them take a minute to start. */
const FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const MEMORY = '4G';
const PROCESSORS = 2;
const CONSOLE_LINES = 25;

/**
 * Boots a kernel and runs a command as root in it. The host's file system is there under the same
 * paths; what the command writes is lost. There is no network but loopback, and no standard input.
 *
 * @param options.kernel - what `describeKernel` returned
 * @param options.initramfs - path of the file `writeInitramfs` wrote
 * @param options.command - program and arguments
 * @param options.preload - modules to load before
 * @param options.timeoutMs - after which the machine is switched off
 * @returns the exit code, or null when the machine did not report one
 */
export async function runInGuest({ kernel, initramfs, command, folder, preload, timeoutMs }) {
  const temporary = mkdtempSync(join(tmpdir(), 'netdivert-guest-'));
  const ports = {};
  let qemu;
  const stop = () => qemu?.kill('SIGKILL');
  process.once('exit', stop);
  try {
    const settings = { MODULES: kernel.modules, FOLDER: folder, PRELOAD: preload.join(' ') };
    const archive = makeGuestArchive(temporary, settings, command);
    const initrd = join(temporary, 'initrd');
    writeFileSync(initrd, Buffer.concat([readFileSync(initramfs), archive]));
    for (const name of ['output', 'errors', 'status']) ports[name] = await listen(temporary, name);
    ports.output.received = forward(ports.output, process.stdout);
    ports.errors.received = forward(ports.errors, process.stderr);
    ports.status.received = collect(ports.status);
    const paths = { image: kernel.image, initrd, folder: temporary };
    qemu = spawn('qemu-system-x86_64', makeArguments(paths), { stdio: ['ignore', 2, 2] });
    const timer = setTimeout(stop, timeoutMs);
    await once(qemu, 'exit');
    clearTimeout(timer);
    for (const { server } of Object.values(ports)) server.close();
    const [status] = await Promise.all([ports.status, ports.output, ports.errors].map(ended));
    if (/^\d+\s*$/.test(status)) return Number(status);
    const console = readFileSync(join(temporary, 'console'), 'latin1').trimEnd().split('\n');
    process.stderr.write(`${console.slice(-CONSOLE_LINES).join('\n')}\n`);
    return null;
  } finally {
    process.off('exit', stop);
    stop();
    for (const { server } of Object.values(ports)) server.close();
    rmSync(temporary, { recursive: true });
  }
}

/** Hardware virtualisation where the processor has it: a guest of a guest usually has not. */
export function accelerator() {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return /\b(vmx|svm)\b/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? 'kvm' : 'tcg';
  } catch {
    return 'tcg';
  }
}

function makeArguments({ image, initrd, folder }) {
  const share = 'local,id=host,path=/,security_model=none,readonly=on,multidevs=remap';
  const processor =
    accelerator() === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host']
      : ['-accel', 'tcg,thread=multi', '-cpu', 'max,la57=off'];
  const port = (name) => [
    ...['-chardev', `socket,id=${name},path=${join(folder, name)}`],
    ...['-device', `virtserialport,chardev=${name},name=${name}`],
  ];
  return [
    ...['-nodefaults', '-no-user-config', '-M', 'pc', '-display', 'none', '-no-reboot'],
    ...processor,
    ...['-smp', String(PROCESSORS), '-m', MEMORY],
    ...['-kernel', image, '-initrd', initrd],
    '-append',
    'console=ttyS0 rdinit=/init panic=-1 no_timer_check quiet',
    ...['-serial', `file:${join(folder, 'console')}`],
    ...['-fsdev', share, '-device', 'virtio-9p-pci,fsdev=host,mount_tag=host'],
    ...['-device', 'virtio-serial-pci,max_ports=4'],
    ...['output', 'errors', 'status'].flatMap(port),
  ];
}

/** What differs from run to run, as a second archive behind the initramfs. */
function makeGuestArchive(temporary, settings, command) {
  const folder = join(temporary, 'archive');
  mkdirSync(join(folder, 'guest'), { recursive: true });
  const variables = KEPT.filter((name) => process.env[name] !== undefined);
  const environment = variables.map((name) => `export ${name}=${quote(process.env[name])}\n`);
  const path = [dirname(process.execPath), ...FOLDERS, process.env.PATH ?? ''].join(':');
  environment.push(`export PATH=${quote(path)}\n`);
  const files = {
    main: readFileSync(MAIN),
    settings: Object.entries(settings)
      .map(([name, value]) => `${name}=${quote(value)}\n`)
      .join(''),
    command: `${environment.join('')}exec ${command.map(quote).join(' ')}\n`,
  };
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, 'guest', name), content);
  }
  return makeArchive(folder);
}

/** A socket that the machine connects one of its serial ports to. */
async function listen(folder, name) {
  const server = createServer();
  const connected = new Promise((resolve) => {
    server.once('connection', resolve);
    // Closed without a connection: the machine did not come up.
    server.once('close', () => resolve(null));
  });
  server.listen(join(folder, name));
  await once(server, 'listening');
  return { server, connected, received: null };
}

async function forward({ connected }, stream) {
  for await (const chunk of (await connected) ?? []) stream.write(chunk);
}

async function collect({ connected }) {
  let text = '';
  for await (const chunk of (await connected) ?? []) text += chunk;
  return text;
}

const ended = ({ received }) => received;

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
