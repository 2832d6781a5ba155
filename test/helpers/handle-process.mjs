// Opens and closes handles as it is told on standard input, one JSON object per line, and answers with one each.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { compileFilter, open } from 'netdivert';
import { registerHandle } from '../../dist/linux/registry/registration.js';

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
  /** Registers handles that do nothing, as fast as can be: some stay open for a while. */
  async register({ filter, priority, count }) {
    const compiled = compileFilter(filter);
    const waiting = [];
    for (let number = 0; number < count; number++) {
      waiting.push(registerHandle({ layer: 'network', mode: 'divert', priority }, compiled));
      if (number % 3 !== 0) waiting.shift().close();
      if (number % 100 === 0) await new Promise(setImmediate);
    }
    for (const registration of waiting) registration.close();
    return { pid };
  },
};

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...details } = JSON.parse(line);
  const reply = await commands[command](details).catch(({ name, code, feature }) => ({
    error: `${name} ${code} ${feature}`,
  }));
  console.log(JSON.stringify(reply));
}
