/** A capture endpoint that remembers: answers like the server's, and serves a page with the snippet on another port. */

import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { snippet } from '../../src/snippet';
import type { SentEvent } from '../visit';

export interface Received {
  request_id: string;
  batch: SentEvent[];
}

export interface Sink {
  /** Address of the endpoint. */
  host: string;
  /** Address of the site, another origin, so that CORS is real. */
  site: string;
  methods: string[];
  requests: Received[];
  close(): Promise<void>;
}

export const KEY = 'ffp_live_browsertest';

async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<[Server, string]> {
  const server = createServer(handler);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

export async function openSink(): Promise<Sink> {
  const script = readFileSync(new URL('../../dist/f.js', import.meta.url));
  const methods: string[] = [];
  const requests: Received[] = [];
  const [endpoint, host] = await listen((request, response) => {
    if (request.url === '/f.js') return void response.setHeader('Content-Type', 'text/javascript').end(script);
    methods.push(request.method ?? '');
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      if (body) requests.push(JSON.parse(body));
      response.setHeader('Access-Control-Allow-Origin', request.headers.origin ?? '*');
      response.setHeader('Content-Type', 'application/json').end('{"accepted":1,"duplicates":0,"rejected":0}');
    });
  });
  const [pages, site] = await listen((request, response) => {
    const head = request.url?.startsWith('/tag')
      ? `<script async src="${host}/f.js" data-key="${KEY}"></script>`
      : snippet(host, KEY);
    const frame = request.url === '/framed' ? '<iframe sandbox="allow-scripts" src="/inner"></iframe>' : '';
    response.setHeader('Content-Type', 'text/html');
    response.end(
      `<!doctype html><title>Site</title>${head}<button onclick="footfall.track('click', {n: 1})">Click</button>
       <a href="/next">Next</a>${frame}`,
    );
  });
  return {
    host,
    site,
    methods,
    requests,
    close: async () => {
      for (const server of [endpoint, pages]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}
