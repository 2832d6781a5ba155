// Opens and closes handles as it is told on standard input, one JSON object per line, and answers with one each.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { open } from 'netdivert';

const handles = new Map();
/** As the kernel counts: the first of the numbers of this process. */
const pid = Number(/^NSpid:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

const commands = {
  async open({ key, filter, options }) {
    const before = process.hrtime.bigint();
    handles.set(key, await open(filter, options));
    return { pid, before: String(before), after: String(process.hrtime.bigint()) };
  },
  async close({ key }) {
    await handles.get(key).close();
    handles.delete(key);
    return {};
  },
  async setFilter({ key, filter }) {
    await handles.get(key).setFilter(filter);
    return {};
  },
  /** Opens and closes at once, again and again; priorities number the handles. */
  async burst({ filter, options, count }) {
    for (let priority = 1; priority <= count; priority++) {
      await (await open(filter, { ...options, priority })).close();
    }
    return { pid };
  },
};

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...details } = JSON.parse(line);
  console.log(JSON.stringify(await commands[command](details)));
}
