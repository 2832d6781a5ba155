import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { UnsupportedError } from '../../errors.ts';
import { EXIT } from '../exit-code.ts';
import { printJson } from '../json.ts';
import { plural, print, tell } from '../output.ts';
import { namespacePath } from '../traffic.ts';

export interface CleanupOptions {
  readonly namespace?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Something whose process is not there any more. */
interface Leftover {
  readonly kind: 'table' | 'device';
  readonly name: string;
  remove(): Promise<void>;
}

/**
 * `netdivert cleanup`: removes what processes that no longer run left behind, after naming it. There
 * should be nothing: what a handle adds to the kernel goes with its process.
 */
export async function cleanup(options: CleanupOptions): Promise<number> {
  if (process.platform !== 'linux') {
    throw new UnsupportedError(process.platform, 'There is nothing to clean up on this system.');
  }
  const { dryRun, json, namespace } = options;
  const path = namespace === undefined ? undefined : namespacePath(namespace);
  const found = [...(await findTables(path)), ...(await findDevices(path))];
  for (const leftover of found) {
    const { kind, name } = leftover;
    if (!dryRun) await leftover.remove();
    if (json) printJson({ type: 'leftover', kind, name, removed: !dryRun });
    else print(`${kind} ${name}${dryRun ? '' : ': removed'}`);
  }
  tell(found.length === 0 ? 'nothing is left over' : `${plural(found.length, 'leftover')}`);
  return EXIT.OK;
}

/** Tables are named after their process. */
async function findTables(namespace: string | undefined): Promise<Leftover[]> {
  const { deleteNftTable, listNftTables } = await import('../doctor/nft-objects.ts');
  const tables = await listNftTables(namespace);
  return tables.flatMap((table) => {
    const processId = Number(/^netdivert-(\d+)-/.exec(table.name)?.[1] ?? 0);
    if (processId === 0 || existsSync(`/proc/${processId}`)) return [];
    const remove = (): Promise<void> => deleteNftTable(table, namespace);
    return [{ kind: 'table' as const, name: table.name, remove }];
  });
}

/** TAP devices that no process has open. */
async function findDevices(namespace: string | undefined): Promise<Leftover[]> {
  const { DEVICE_PREFIX } = await import('../../linux/inject/devices.ts');
  const { withNamespace } = await import('../../linux/sys/namespace.ts');
  const table = withNamespace(namespace, () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
  const names = [...table.matchAll(/^\s*([^\s:]+):/gm)].map(([, name = '']) => name);
  const own = names.filter((name) => name.startsWith(DEVICE_PREFIX));
  if (own.length === 0) return [];
  const held = heldDevices();
  return own
    .filter((name) => !held.has(name))
    .map((name) => ({ kind: 'device', name, remove: () => deleteDevice(name, namespace) }));
}

/** Devices whose descriptor a process has (`/proc/PID/fdinfo`). */
function heldDevices(): Set<string> {
  const held = new Set<string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const folder = `/proc/${pid}/fdinfo`;
      for (const fd of readdirSync(folder)) {
        const name = /^iff:\s*(\S+)/m.exec(readFileSync(`${folder}/${fd}`, 'utf8'))?.[1];
        if (name !== undefined) held.add(name);
      }
    } catch {
      // It ended meanwhile.
    }
  }
  return held;
}

async function deleteDevice(name: string, namespace: string | undefined): Promise<void> {
  const command = ['ip', 'link', 'delete', name];
  const enter = namespace === undefined ? [] : ['nsenter', `--net=${namespace}`, '--'];
  const [file = '', ...args] = [...enter, ...command];
  await promisify(execFile)(file, args);
}
