import type { HandleInfo, ReflectEvent } from '../../divert/event.ts';
import { UnsupportedError } from '../../errors.ts';
import { formatReflectEvent, modeOf, reflectRecord } from '../events/event-line.ts';
import { followEvents } from '../events/event-run.ts';
import { EXIT, MissingError } from '../exit-code.ts';
import { formatIsoTime, type JsonRecord, printJson } from '../json.ts';
import { formatTable, plural, print, styleFor, tell } from '../output.ts';
import { safeText } from '../packet-line.ts';
import { readOwner } from '../proc/owner.ts';
import { clockOffsetNs, type TrafficOptions } from '../traffic.ts';

/** `netdivert handles list`: the handles of all processes, those opened first in front. */
export async function handlesList(options: { readonly json?: boolean }): Promise<number> {
  const handles = await list();
  const offsetNs = clockOffsetNs();
  if (options.json) for (const handle of handles) printJson(handleRecord(handle, offsetNs));
  else printTable(handles);
  return EXIT.OK;
}

/** `netdivert handles watch`: handles that are opened and closed, those that are open first. */
export async function handlesWatch(text: string, options: TrafficOptions): Promise<number> {
  return await followEvents<ReflectEvent>(text, options, {
    layer: 'reflect',
    what: 'handles',
    format: formatReflectEvent,
    record: reflectRecord,
  });
}

export interface KillOptions {
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/**
 * `netdivert handles kill`: ends the process that has a handle, by SIGTERM, after showing it.
 *
 * @throws MissingError when there is no such handle
 * @throws DivertError when the process is another user's
 */
export async function handlesKill(id: number, options: KillOptions): Promise<number> {
  const handle = (await list()).find(({ handleId }) => Number(handleId) === id);
  if (handle === undefined) {
    throw new MissingError(
      `handle ${id}: there is none with this id`,
      'netdivert handles list shows those that are open.',
    );
  }
  const { processId } = handle;
  const owner = readOwner(processId);
  const own = process.getuid?.();
  if (!options.force && owner?.userId !== own) {
    throw new MissingError(
      `handle ${id}: process ${processId} belongs to user ${owner?.userId ?? '?'}, not to this one`,
      'To end it all the same: --force.',
    );
  }
  tell(`handle ${id} (${safeText(handle.filter)}) is of ${owner?.commandLine ?? processId}`);
  if (!options.dryRun) process.kill(processId, 'SIGTERM');
  if (options.json)
    printJson({ type: 'killed', handleId: id, processId, dryRun: !!options.dryRun });
  else
    tell(
      options.dryRun ? `would end process ${processId}` : `process ${processId} was told to end`,
    );
  return EXIT.OK;
}

async function list(): Promise<HandleInfo[]> {
  if (process.platform !== 'linux') {
    throw new UnsupportedError(process.platform, 'There are no handles on this system.', {
      hint: 'Handles need Linux.',
    });
  }
  const { listHandles } = await import('../../open.ts');
  return listHandles();
}

function printTable(handles: readonly HandleInfo[]): void {
  if (handles.length === 0) {
    tell('no handle is open');
    return;
  }
  const offsetNs = clockOffsetNs();
  const rows = handles.map(({ flags, handleId, ...handle }) => [
    String(handleId),
    `${safeText(handle.processName) || '?'}[${handle.processId}]`,
    handle.layer,
    modeOf(flags),
    String(handle.priority),
    formatIsoTime(handle.openedAt + offsetNs).slice(0, 19),
    safeText(handle.filter),
  ]);
  const style = styleFor(process.stdout);
  const [header = '', ...lines] = formatTable([
    ['id', 'process', 'layer', 'mode', 'priority', 'opened (UTC)', 'filter'],
    ...rows,
  ]);
  print(style('dim', header));
  for (const line of lines) print(line);
  tell(plural(handles.length, 'handle'));
}

function handleRecord(handle: HandleInfo, offsetNs: bigint): JsonRecord {
  const { openedAt, ...rest } = handle;
  return {
    type: 'handle',
    openedAt: formatIsoTime(openedAt + offsetNs),
    ...rest,
    mode: modeOf(handle.flags),
  };
}
