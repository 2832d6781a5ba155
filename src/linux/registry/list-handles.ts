/**
 * The handles of all processes of this machine.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import type { HandleInfo } from '../../divert/event.ts';
import { decodeReflectEvent } from '../../divert/event-record.ts';
import { handleIdOf, isHandleRecord, viewOf } from './handle-record.ts';
import { failUnseen, MapWalk, REGISTRY_PREFIX, walkRefused } from './map-walk.ts';

/**
 * Lists the handles that are open now, those opened first in front. Reflect handles are not listed.
 *
 * @throws {@link UnsupportedError} without CAP_SYS_ADMIN
 * @throws {@link SystemError} when not all can be looked at: too many open files, or no memory
 */
export function listHandles(): HandleInfo[] {
  // While its filter is swapped a handle has two maps: the newer one counts.
  const handles = new Map<number, HandleInfo>();
  const isAllowed = new MapWalk(REGISTRY_PREFIX).walk((_, value) => {
    if (!isHandleRecord(value)) return;
    const record = viewOf(value);
    const { event: _event, timestamp: _timestamp, ...handle } = decodeReflectEvent(record);
    handles.set(handleIdOf(record), { ...handle, processName: processName(handle.processId) });
  }, failUnseen);
  if (!isAllowed) throw walkRefused('list handles');
  return [...handles.values()].sort((a, b) => Number(a.openedAt - b.openedAt));
}

function processName(processId: number): string {
  try {
    return readFileSync(`/proc/${processId}/comm`, 'utf8').trimEnd();
  } catch {
    // It ended just now, or it is outside this container.
    return '';
  }
}
