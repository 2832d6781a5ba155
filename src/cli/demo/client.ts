/**
 * The web client of the demo: makes the requests it is told to make, one connection each.
 *
 * @module
 */

import { get } from 'node:http';
import { SERVER_ADDRESS } from './hosts.ts';

/** What to ask for. */
export interface ClientRequest {
  readonly host: string;
  readonly path: string;
  readonly port: number;
  readonly timeoutMs: number;
}

/** What came of it. */
export interface ClientResponse {
  readonly status: number | null;
  readonly body: string;
  readonly elapsedMs: number;
}

function ask({ host, path, port, timeoutMs }: ClientRequest): Promise<ClientResponse> {
  const startedAtMs = performance.now();
  return new Promise((resolve) => {
    const finish = (status: number | null, body: string): void =>
      resolve({ status, body, elapsedMs: performance.now() - startedAtMs });
    const request = get(
      { host: SERVER_ADDRESS, port, path, agent: false, headers: { Host: host } },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (part) => {
          body += part;
        });
        response.on('end', () => finish(response.statusCode ?? null, body));
        response.on('error', (error) => finish(null, error.message));
      },
    );
    request.setTimeout(timeoutMs, () => request.destroy(new Error('no answer')));
    request.on('error', (error) => finish(null, error.message));
  });
}

process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
process.on('message', async (request: ClientRequest) => {
  process.send?.(await ask(request));
});
process.send?.('ready');
