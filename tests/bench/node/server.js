// What the gateway is measured against: verifies a webhook with @octokit/webhooks-methods and puts it into Redis, answering when
// Redis has answered. node server.js xadd|bullmq REDIS-SOCKET SECRET ; prints its port.
'use strict';
const crypto = require('node:crypto');
const http = require('node:http');
const { Redis } = require('ioredis');

const [mode, socket, secret] = process.argv.slice(2);
const kept = ['content-type', 'x-github-event', 'x-github-delivery', 'x-gitlab-event', 'idempotency-key'];

async function makeStore() {
  if (mode === 'bullmq') {
    const { Queue } = require('bullmq');
    const queue = new Queue('hooks', { connection: { path: socket, maxRetriesPerRequest: null } });
    await queue.waitUntilReady();
    return (headers, body) => queue.add('hook', { headers, body });
  }
  const redis = new Redis({ path: socket });
  return (headers, body) => redis.xadd('hooks', '*', 'headers', JSON.stringify(headers), 'body', body);
}

function sameToken(given) {
  const digest = (s) => crypto.createHash('sha256').update(s).digest();
  return crypto.timingSafeEqual(digest(given), digest(secret));
}

async function main() {
  const { verify } = await import('@octokit/webhooks-methods');
  const store = await makeStore();
  const server = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (part) => parts.push(part));
    req.on('end', async () => {
      try {
        const body = Buffer.concat(parts).toString('utf8');
        const token = req.headers['x-gitlab-token'];
        const good = token !== undefined ? sameToken(token)
          : await verify(secret, body, String(req.headers['x-hub-signature-256'] || 'sha256=0'));
        if (!good) {
          res.writeHead(401).end('{"error":"signature"}');
          return;
        }
        const headers = {};
        for (const name of kept)
          if (req.headers[name] !== undefined)
            headers[name] = req.headers[name];
        await store(headers, body);
        res.writeHead(202, { 'content-type': 'application/json' }).end('{"status":"queued"}');
      } catch (e) {
        res.writeHead(503).end(JSON.stringify({ error: String(e) }));
      }
    });
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

main();
