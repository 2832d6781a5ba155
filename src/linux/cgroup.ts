/**
 * The root of the control groups (cgroup v2): programs hooked in there see every socket of the
 * machine.
 *
 * @module
 */
import { openSync, readFileSync } from 'node:fs';
import { UnsupportedError } from '../errors.ts';
import { ERRNO, MOUNT_CALL } from './sys/constants.ts';
import { fileCall } from './sys/file-error.ts';
import { errnoText, lastErrno, libc } from './sys/libc.ts';
import { cString } from './sys/memory.ts';

/** Where cgroup2 is mounted for everybody, null where it is not. */
export function findCgroupMount(mountInfo: string = readMountInfo()): string | null {
  for (const line of mountInfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, mountPoint] = before.split(' ');
    if (after.startsWith('cgroup2 ') && root === '/' && mountPoint) return decodePath(mountPoint);
  }
  return null;
}

/**
 * Opens the root directory of cgroup2. Without a mount, one of our own that nobody sees is made: it
 * is gone with the descriptor.
 *
 * @returns a descriptor, to be closed by the caller
 * @throws {@link UnsupportedError} when there is none and none can be made
 */
export function openRootCgroup(mountPoint: string | null = findCgroupMount()): number {
  if (mountPoint === null) return mountDetached();
  return fileCall(`open the control group ${mountPoint}`, () => openSync(mountPoint, 'r'));
}

function readMountInfo(): string {
  return fileCall('list the file systems', () => readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** Blanks are written as `\040` there (proc_pid_mountinfo(5)). */
function decodePath(path: string): string {
  return path.replace(/\\(\d{3})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 8)),
  );
}

/** Needs Linux 5.2. */
function mountDetached(): number {
  const { NR_FSOPEN, NR_FSCONFIG, NR_FSMOUNT, ...flag } = MOUNT_CALL;
  const context = checkMount(libc.fsopen(NR_FSOPEN, cString('cgroup2'), flag.FSOPEN_CLOEXEC));
  try {
    const command = flag.FSCONFIG_CMD_CREATE;
    checkMount(libc.mountCall(NR_FSCONFIG, context, command, null, null, 0));
    return checkMount(libc.mountCall(NR_FSMOUNT, context, flag.FSMOUNT_CLOEXEC, null, null, 0));
  } finally {
    libc.close(context);
  }
}

function checkMount(result: number): number {
  if (result >= 0) return result;
  const errno = lastErrno();
  throw new UnsupportedError(
    'cgroup v2',
    `No cgroup2 file system is mounted, and mounting one failed: ${errnoText(errno)}`,
    {
      hint:
        errno === ERRNO.EPERM
          ? 'Mount it (mount -t cgroup2 none /sys/fs/cgroup), or run with CAP_SYS_ADMIN.'
          : 'The kernel needs CONFIG_CGROUPS and CONFIG_CGROUP_BPF.',
    },
  );
}
