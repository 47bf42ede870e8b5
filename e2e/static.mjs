// A tiny static server over web/ for the harness's own test: the hub's content security policy, and a live stream the
// test speaks through.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const web = join(dirname(fileURLToPath(import.meta.url)), "..", "web");
const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".json": "application/json" };
export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** Serves web/ and whatever `pages` (path -> HTML) adds; `send(type, data, id)` speaks to every open stream. */
export async function serve(pages = {}) {
  const streams = new Set();
  const seen = { lastEventIds: [], fetched: [] };
  let streamStatus = 200;
  const server = createServer(async (request, answer) => {
    const path = new URL(request.url, "http://localhost").pathname;
    seen.fetched.push(path);
    if (path === "/api/v1/stream") {
      seen.lastEventIds.push(request.headers["last-event-id"] ?? null);
      if (streamStatus !== 200) return answer.writeHead(streamStatus).end();
      answer.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      answer.write("retry: 50\n\n");
      streams.add(answer);
      request.on("close", () => streams.delete(answer));
      return;
    }
    const file = normalize(path);
    const extra = pages[path];
    try {
      const body = extra ?? (await readFile(join(web, file)));
      answer.writeHead(200, { "content-type": extra ? TYPES[".html"] : (TYPES[extname(file)] ?? "text/plain"), "content-security-policy": CSP });
      answer.end(body);
    } catch {
      answer.writeHead(404, { "content-type": "text/plain" }).end("not found");
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    streams,
    send(type, data, id) {
      for (const s of streams) s.write(`${id === undefined ? "" : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
    },
    /** Cuts every open stream; new ones get `status` from now on. */
    cut(status = 200) {
      streamStatus = status;
      for (const s of streams) s.destroy();
    },
    close: () => new Promise((done) => (server.closeAllConnections(), server.close(done))),
  };
}
