/** Filter text of both dialects, and object strings. */

import { DivertError, FilterError } from '../../../src/errors.ts';
import { compileFilter } from '../../../src/filter/compile.ts';
import { emitMatcher } from '../../../src/filter/emit-js.ts';
import { ALL_FIELDS } from '../../../src/filter/extended/fields.ts';
import { FilterSet } from '../../../src/filter/extended/filter-set.ts';
import type { Filter } from '../../../src/filter/filter.ts';
import { writeObject } from '../../../src/filter/object.ts';
import { LAYERS } from '../../../src/packet/address.ts';
import { findForeignText } from '../../helpers/generated-code.ts';
import type { Random } from '../../helpers/random.ts';
import { Random as SeededRandom } from '../../helpers/random.ts';
import { randomExtendedFilter } from '../../helpers/random-extended.ts';
import { randomFilter, randomTests } from '../../helpers/random-filter.ts';
import { randomPacket } from '../../helpers/random-packet.ts';
import type { Campaign } from '../campaign.ts';
import { mutateText } from '../mutate.ts';

const PIECES = [
  ...ALL_FIELDS.map(({ name }) => name),
  ...'and or not && || ! ( ) [ ] ? : - = == != < <= > >= b 5b 0x 0x10b :: fe80:: ::1.2.3.4 1.2.3.4'.split(
    ' ',
  ),
  ...'0 1 65535 65536 4294967296 -0 true false TRUE CONNECT & | { } " / @ , 80-90 in not in @a ..'.split(
    ' ',
  ),
  ..."/* */ // ` ${ \\ ' ; = => __proto__ constructor eval( process.exit() \u2028 \0 \u00e9".split(
    ' ',
  ),
  '340282366920938463463374607431768211455',
  '((((((((((((((((((((((((((((((((',
  'not not not not not not not not not ',
  ' ',
  '\n',
];
const OBJECT_PIECES = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+=_@'];
const SETS = { a: new FilterSet(['10.0.0.0/8', 80]), b: new FilterSet() };

/** Everything that can be done with a filter. */
function exercise(source: string): void {
  for (const layer of LAYERS) {
    for (const dialect of ['windivert', 'extended'] as const) {
      let filter: Filter;
      try {
        filter = compileFilter(
          source,
          layer,
          dialect === 'extended' ? { dialect, sets: SETS } : {},
        );
      } catch (error) {
        expectRefusal(error, source);
        continue;
      }
      inspect(filter);
    }
  }
}

function inspect(filter: Filter): void {
  const code = emitMatcher(filter.tests, filter.layer);
  const foreign = findForeignText(code);
  if (foreign !== null) throw new Error(`generated code has ${JSON.stringify(foreign)}`);
  void [filter.warnings.length, filter.object.length, filter.kernelSets.length];
  const packet = randomPacket(new SeededRandom(filter.source.length));
  const { layer } = filter;
  const isPacketLayer = layer === 'network' || layer === 'forward';
  try {
    filter.matches(isPacketLayer ? packet : null, { layer, ipv6: (packet[0] ?? 0) >> 4 === 6 });
    filter.format();
  } catch (error) {
    const codes = ['invalid-parameter', 'insufficient-buffer'];
    if (!(error instanceof DivertError && codes.includes(error.code))) throw error;
  }
}

function expectRefusal(error: unknown, source: string): void {
  if (!(error instanceof FilterError) || error.code === 'internal') throw error;
  const isInside = error.position >= 0 && error.position <= source.length;
  if (!isInside || error.source !== source) throw new Error('the error points elsewhere');
}

/** Text of both dialects. */
export const FILTER_TEXT: Campaign = {
  name: 'filter-text',
  generate: (random: Random) => {
    const layer = random.pick(LAYERS);
    const seed = random.chance(50)
      ? randomFilter(random, layer)
      : randomExtendedFilter(random, layer, () => null, ['a', 'b']);
    return mutateText(random, seed, PIECES);
  },
  check: (input) => exercise(String(input)),
};

/** Object strings. */
export const OBJECT_STRING: Campaign = {
  name: 'object-string',
  generate: (random: Random) => {
    const object = writeObject(randomTests(random, random.pick(LAYERS), () => null));
    return mutateText(random, object, OBJECT_PIECES);
  },
  check: (input) => exercise(String(input)),
};
