/** What the product loads when it is first used: compiled along with the tests, not when a test runs. */
import '../../src/linux/backend.ts';
import '../../src/linux/privileges/drop.ts';
import '../../src/linux/shared-channel.ts';
