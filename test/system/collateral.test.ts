/**
 * What others cost a handle that holds 150 packets. COLLATERAL_ROUNDS in the environment, and all of it in one report:
 * `npm run trust -- collateral`.
 */
import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FATES, holdPackets, sendAll } from '../collateral/held.ts';
import { OPERATIONS, type Operation } from '../collateral/operations.ts';
import { ensureBuilt } from '../helpers/command.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { unregisterHook } from '../helpers/nft.ts';

const REPORT = process.env.TRUST_REPORT;
/** All operations, so often; else two of each kind, once. */
const LONG_ROUNDS = process.env.COLLATERAL_ROUNDS;
const ROUNDS = Number(LONG_ROUNDS ?? 1);
const LIMIT_MS = 120_000 * ROUNDS;

let net: Network;
beforeAll(async () => {
  ensureBuilt();
  net = await createNetwork();
});
afterAll(() => net.close());

/** The first and the last of those that are by the same and cost the same. */
function chooseOperations(): readonly Operation[] {
  if (LONG_ROUNDS !== undefined) return OPERATIONS;
  return OPERATIONS.filter((operation, index) => {
    const isAlike = ({ by, fate }: Operation): boolean =>
      by === operation.by && fate === operation.fate;
    return index === OPERATIONS.findIndex(isAlike) || index === OPERATIONS.findLastIndex(isAlike);
  });
}

async function runOnce(operation: Operation): Promise<void> {
  const prepared = await operation.prepare(net.b);
  const held = await holdPackets(net.a, net.b);
  await prepared.act();
  const fate = await sendAll(held);
  await prepared.end?.();
  const { by, name } = operation;
  if (REPORT) appendFileSync(REPORT, `${JSON.stringify({ by, name, ...fate })}\n`);
  expect(fate).toEqual(FATES[operation.fate]);
}

describe('150 packets held by a handle, while', () => {
  test.each(chooseOperations())(
    '$by $name: they $fate',
    { timeout: LIMIT_MS },
    async (operation) => {
      for (let round = 0; round < ROUNDS; round++) await runOnce(operation);
    },
  );

  test('hooks go in another namespace: they arrive', async () => {
    const held = await holdPackets(net.a, net.b);
    await unregisterHook(net.a);
    expect(await sendAll(held)).toEqual(FATES.arrive);
  });
});
