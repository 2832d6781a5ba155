// Looks names up with the C library, which asks for A and AAAA at once from one socket.
// Argument: number of names. Prints how many had both answers, and how many took longer than a second.
import dns from 'node:dns/promises';

const [count] = process.argv.slice(2);
let complete = 0;
let slow = 0;
for (let index = 0; index < Number(count); index++) {
  const start = performance.now();
  const addresses = await dns.lookup(`host-${index}.example.com`, { all: true }).catch(() => []);
  if (addresses.length === 2) complete++;
  if (performance.now() - start > 1000) slow++;
}
process.stdout.write(`${JSON.stringify({ complete, slow })}\n`);
