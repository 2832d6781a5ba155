/**
 * The web server of the demo: an ordinary HTTP server that knows nothing of interception.
 *
 * @module
 */

import { createServer, type RequestListener } from 'node:http';
import { HOSTS, PORTS } from './hosts.ts';

const answer: RequestListener = (request, response) => {
  const body = HOSTS[request.headers.host?.split(':')[0] ?? ''];
  response.statusCode = body === undefined ? 404 : 200;
  response.setHeader('Content-Type', 'text/plain');
  response.setHeader('Content-Length', Buffer.byteLength(body ?? ''));
  response.end(body);
};

// Ctrl-C reaches the whole process group; the demo decides when this ends.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
let listening = 0;
for (const port of Object.values(PORTS)) {
  createServer(answer).listen(port, '0.0.0.0', () => {
    listening++;
    if (listening === Object.keys(PORTS).length) process.send?.('ready');
  });
}
