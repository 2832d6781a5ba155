/** What the rows of a run say together. */

/** Growth that is no leak: pools and compiled code reach their size late. */
const GROWTH = { factor: 1.1, rssMiB: 16, heapMiB: 4, nativeMiB: 8 };
/** A process warms up before; a fit over more than this says too little about leaks. */
const FIT_SECONDS = 20 * 60;
const SECONDS_PER_MINUTE = 60;

/** The middle of a column over some rows. */
export function median(rows, key) {
  const values = rows.map((row) => row[key]).sort((a, b) => a - b);
  return values[values.length >> 1];
}

/** Compares the last third of the rows with the second. */
export function findGrowth(rows) {
  const third = Math.floor(rows.length / 3);
  if (third < 2) return [];
  const [middle, last] = [rows.slice(third, 2 * third), rows.slice(-third)];
  return ['rssMiB', 'heapMiB', 'nativeMiB'].flatMap((key) => {
    const [from, to] = [median(middle, key), median(last, key)];
    const isGrowing = to > from * GROWTH.factor && to - from > GROWTH[key];
    return isGrowing ? [`${key} grows: ${from.toFixed(1)} to ${to.toFixed(1)}`] : [];
  });
}

/** @returns more of a column per minute: the line with the least squares through the last 20 minutes */
function slopePerMinute(rows, key) {
  const end = rows.at(-1).seconds;
  const fitted = rows.filter(({ seconds }) => seconds > end - FIT_SECONDS);
  const mean = (of) => fitted.reduce((sum, row) => sum + of(row), 0) / fitted.length;
  const [x, y] = [mean(({ seconds }) => seconds), mean((row) => row[key])];
  const above = mean((row) => (row.seconds - x) * (row[key] - y));
  const below = mean((row) => (row.seconds - x) ** 2);
  return below === 0 ? 0 : (above / below) * SECONDS_PER_MINUTE;
}

/** The figures of a run, a line each. */
export function summarize(rows) {
  const sum = (key) => rows.reduce((total, row) => total + row[key], 0);
  const most = (key) => Math.max(...rows.map((row) => row[key]));
  const [first, last] = [rows[0], rows.at(-1)];
  const trend = (key) =>
    `${first[key].toFixed(1)} first, ${last[key].toFixed(1)} last, ` +
    `${slopePerMinute(rows, key).toFixed(3)} a minute`;
  const time = (name, p50, p99, max) =>
    `${name}: median ${median(rows, p50).toFixed(2)} ms, 99 % ${median(rows, p99).toFixed(1)} ms, longest ${most(max).toFixed(0)} ms`;
  return [
    `${last.seconds.toFixed(0)} s, ${last.processorSeconds.toFixed(0)} s of processor time`,
    `${sum('packets')} packets and ${sum('events')} events received, ${sum('handles')} handles opened`,
    `RSS MiB: ${trend('rssMiB')}`,
    `heap MiB: ${trend('heapMiB')}`,
    `malloc MiB: ${trend('nativeMiB')}`,
    `descriptors: ${first.descriptors} first, ${last.descriptors} last, ${most('descriptors')} at most`,
    time('wait in the queue', 'waitP50', 'waitP99', 'waitMax'),
    time('delay of the event loop', 'loopP50', 'loopP99', 'loopMax'),
  ];
}
