/** What a kernel needs to come up: its image, and an initramfs that reaches the host's file system. */

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { SetupError } from '../setup.mjs';

/** How the guest reaches the host: disks and network are not needed. */
const MODULES = ['virtio_pci', 'virtio_console', '9pnet_virtio', '9p', 'overlay'];
const FOLDERS = ['bin', 'modules', 'guest', 'proc', 'sys', 'dev', 'host', 'layer', 'new'];
const INIT = new URL('./guest-init.sh', import.meta.url);

/**
 * @param root - folder a Debian kernel was unpacked to
 * @returns `{ image, modules, release }`: paths of the kernel and of the parent of its modules
 */
export function describeKernel(root) {
  // Newer packages have /usr/lib/modules, older ones /lib/modules.
  if (!existsSync(join(root, 'lib'))) symlinkSync('usr/lib', join(root, 'lib'));
  const modules = join(root, 'lib/modules');
  const release = readdirSync(modules).find((name) => existsSync(join(modules, name, 'kernel')));
  const images = [join(root, 'boot'), join(modules, release ?? '')].flatMap(listImages);
  if (!release || images.length === 0) {
    throw new SetupError(`There is no complete kernel in ${root}: remove it to fetch it again.`);
  }
  return { image: images[0], modules, release };
}

function listImages(folder) {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.startsWith('vmlinuz'));
  return names.map((name) => join(folder, name));
}

/** Writes the initramfs of a kernel as a compressed cpio archive to `path`. */
export function writeInitramfs(root, { release }, path) {
  execFileSync('depmod', ['-b', root, release], { stdio: 'inherit' });
  const folder = mkdtempSync(`${path}.`);
  for (const name of FOLDERS) mkdirSync(join(folder, name));
  copyFileSync('/bin/busybox', join(folder, 'bin/busybox'));
  writeFileSync(join(folder, 'init'), readFileSync(INIT));
  chmodSync(join(folder, 'init'), 0o755);
  // The name says the order in which they are loaded.
  listModules(root, release).forEach((file, index) => {
    const number = String(index).padStart(3, '0');
    const name = basename(file).replace(/\.xz$/, '');
    writeFileSync(join(folder, 'modules', `${number}-${name}`), readModule(file));
  });
  writeFileSync(path, makeArchive(folder));
  rmSync(folder, { recursive: true });
}

/** A folder as a compressed cpio archive. */
export function makeArchive(folder) {
  const names = execFileSync('find', ['.'], { cwd: folder });
  const options = { cwd: folder, input: names, maxBuffer: 1 << 28 };
  return gzipSync(execFileSync('cpio', ['-o', '-H', 'newc', '--quiet'], options), { level: 1 });
}

/** Files of the modules and of those they depend on, in order; built-in ones have none. */
function listModules(root, release) {
  const files = new Set();
  for (const module of MODULES) {
    const args = ['-d', root, '-S', release, '--show-depends', module];
    for (const line of execFileSync('modprobe', args, { encoding: 'utf8' }).split('\n')) {
      const file = /^insmod (\S+)/.exec(line)?.[1];
      if (file) files.add(file);
    }
  }
  return [...files];
}

function readModule(file) {
  if (!file.endsWith('.xz')) return readFileSync(file);
  return execFileSync('xz', ['-dc', file], { maxBuffer: 1 << 28 });
}
