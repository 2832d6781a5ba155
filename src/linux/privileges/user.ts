/**
 * Users of this machine.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { DivertError } from '../../errors.ts';
import { fileCall } from '../sys/file-error.ts';

/** A user to become. */
export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

const FIELD = { NAME: 0, UID: 2, GID: 3 } as const;

/**
 * Finds a user in `/etc/passwd`.
 *
 * @throws {@link DivertError} `invalid-parameter` when there is none of this name
 */
export function findUser(name: string): UserIds {
  const text = fileCall('read /etc/passwd', () => readFileSync('/etc/passwd', 'utf8'));
  for (const line of text.split('\n')) {
    const fields = line.split(':');
    if (fields[FIELD.NAME] !== name) continue;
    return { uid: Number(fields[FIELD.UID]), gid: Number(fields[FIELD.GID]) };
  }
  throw new DivertError('invalid-parameter', `There is no user ${JSON.stringify(name)}.`, {
    hint: 'Name one of /etc/passwd, or give numbers: { uid, gid }.',
  });
}
