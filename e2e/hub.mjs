// Starts the real program for browser tests: a hub or a demo on a free port, in a directory of its own.
import { spawn, execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const BIN = process.env.SHIELDWALL_BIN ?? join(root, "target", "debug", "shieldwall");
const START_MS = 60_000;

/** Runs `shieldwall` to its end; gives what it wrote to standard output. */
export async function shieldwall(...args) {
  const { stdout } = await promisify(execFile)(BIN, args);
  return stdout.trim();
}

/** Starts `shieldwall …args`; resolves with what `found` makes of its output, once it makes something of it. */
export async function start(args, found) {
  const data = await mkdtemp(join(tmpdir(), "shieldwall-e2e-"));
  const child = spawn(BIN, [...args, "--data", join(data, "data"), "--listen", "127.0.0.1:0", "--no-progress"], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let said = "";
  let complaint = "";
  child.stderr.on("data", (text) => (complaint += text));
  const what = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not started within ${START_MS} ms:\n${said}\n${complaint}`)), START_MS);
    child.stdout.on("data", (text) => {
      said += text;
      const made = found(said);
      if (made) (clearTimeout(timer), resolve(made));
    });
    child.once("exit", (code) => (clearTimeout(timer), reject(new Error(`ended with ${code}:\n${said}\n${complaint}`))));
  });
  const stop = async () => {
    child.kill("SIGINT");
    await ended;
    await rm(data, { recursive: true, force: true });
  };
  return { ...what, data: join(data, "data"), said: () => said, ended, stop };
}

/** A fresh hub: its address and its first-run link. */
export const startHub = () =>
  start(["hub"], (said) => {
    const setup = said.match(/(http:\/\/\S+)\/setup\/\S+/);
    return setup && { url: setup[1], setup: setup[0] };
  });

/** A demo played within `seconds`: its address, its sign-in links by role, and a promise of its last line. */
export const startDemo = (seconds) =>
  start(["demo", "--duration", String(seconds)], (said) => {
    const links = [...said.matchAll(/^ {2}(duty officer|analyst|operator), (.*?) +(http\S+)$/gm)].map(([, role, member, url]) => ({ role, member, url }));
    return links.length >= 4 && { url: new URL(links[0].url).origin, links };
  });

/** Calls the API as `token` would; throws unless the answer is good. */
export async function api(url, token, path, { method = "GET", body, headers = {} } = {}) {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}
