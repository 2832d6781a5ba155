/**
 * Smoke test of the compiled package on the kernel it runs on: as root, with `ip`, `nsenter` and
 * `nft`, in network namespaces of its own. Prints one line per check; exit code 1 when one failed.
 *
 *   npm run build && node test/kernel/smoke.mjs
 *
 * On other kernels, in a virtual machine: `npm run test:kernel -- 6.1`.
 */

import { finish, kernelVersion, print } from './check.mjs';
import { checkFilters } from './checks-filters.mjs';
import { checkLifecycle, checkOpening, checkRefusal } from './checks-lifecycle.mjs';
import { checkTraffic } from './checks-traffic.mjs';
import { createNetwork } from './network.mjs';

/** Tables that go with their owner: the oldest kernel that handles work on. */
const OLDEST_KERNEL = 5012;

const network = createNetwork();
try {
  if (kernelVersion() < OLDEST_KERNEL) {
    await checkRefusal(network);
  } else if (await checkOpening(network)) {
    await checkFilters();
    await checkTraffic(network);
    await checkLifecycle(network);
  } else {
    print('      the other checks need an open handle');
  }
} finally {
  network.close();
}
process.exit(finish());
