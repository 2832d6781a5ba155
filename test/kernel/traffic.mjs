/** Real senders and receivers in the namespaces. */

import { fileURLToPath } from 'node:url';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const helper = (name) => path(`../helpers/traffic/${name}.mjs`);

/** A receiver gives up when nothing came for this long. */
const IDLE_MS = 15_000;

/** Sends `count` datagrams; see udp-send.mjs for what is in them. */
export function sendDatagrams(from, address, port, count) {
  return from.run(process.execPath, path('udp-send.mjs'), address, port, count);
}

/** @returns lengths of the first `count` datagrams, in order */
export function lengthsSent(count) {
  return Array.from({ length: count }, (_, number) => 1 + ((4 * number) % 1400));
}

/** Content of a datagram of that length. */
export function contentSent(length) {
  return Uint8Array.from({ length }, (_, index) => (length + index) & 255);
}

/**
 * Starts to receive.
 *
 * @param count - of datagrams to come; when they do not come it ends by itself
 * @returns a function that resolves with the datagrams
 */
export async function receiveDatagrams(at, address, port, count, idleMs = IDLE_MS) {
  const { output } = await startScript(at, helper('udp-receive'), address, port, count, idleMs);
  return async () => {
    const lines = (await output).split('\n').filter(Boolean);
    return lines.map((line) => Buffer.from(line, 'base64'));
  };
}

/** Sends bytes over TCP, each XORed with `mask` by the receiver; returns what both ends saw. */
export async function transfer(from, at, address, port, bytes, mask) {
  const { output } = await startScript(at, helper('tcp-receive'), address, port, mask);
  const sent = await from.run(process.execPath, helper('tcp-send'), address, port, bytes);
  return { sent: JSON.parse(sent), received: JSON.parse(await output) };
}

/** Starts a process that sends back all it takes; resolves once it does. */
export function startDiverting(at, filter) {
  return startScript(at, path('send-all-back.mjs'), filter);
}

/** Waits until the script is ready; resolves with its child process and the promise of its output. */
function startScript(at, ...args) {
  const child = at.start(process.execPath, ...args);
  let text = '';
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    const output = new Promise((done) => {
      child.once('close', () => {
        done(text.slice(text.indexOf('\n') + 1));
        reject(new Error(`ended before it was ready: ${errors || text}`));
      });
    });
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.startsWith('ready\n')) resolve({ child, output });
    });
  });
}
