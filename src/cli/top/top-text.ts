import { printJson } from '../json.ts';
import { formatTable, print, styleFor } from '../output.ts';
import type { Flow } from './flow-table.ts';
import { rowsOf } from './top-rows.ts';
import type { TopState } from './top-state.ts';
import { formatBits, formatBytes } from './top-view.ts';

/** Prints the table once, for files and pipes. */
export function printRows(flows: readonly Flow[], state: TopState, json: boolean): void {
  const rows = rowsOf(flows, state);
  if (json) {
    for (const { bytes, inboundRate, outboundRate, process, what } of rows) {
      printJson({
        type: 'traffic',
        view: state.view,
        process,
        what,
        outboundRate,
        inboundRate,
        bytes,
      });
    }
    return;
  }
  const cells = rows.map((row) => [
    row.process,
    formatBits(row.outboundRate),
    formatBits(row.inboundRate),
    formatBytes(row.bytes),
    row.what,
  ]);
  const title = state.view === 'flows' ? 'flow' : 'flows';
  const [header = '', ...lines] = formatTable([['process', 'out', 'in', 'total', title], ...cells]);
  print(styleFor(process.stdout)('dim', header));
  for (const line of lines) print(line);
}
