// Builds dist/ from src/ and nothing else: same sources and lock file in, same bytes out.
// dist/manifest.json names each entry's hashed file and the sha256 of every file; LICENSES.txt carries what was bundled.
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { hashes, sha256 } from "./files.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const HASH_CHARS = 8;

await rm(dist, { recursive: true, force: true });
await mkdir(dist);

const common = {
  absWorkingDir: root,
  outdir: "dist",
  bundle: true,
  minify: true,
  metafile: true,
  charset: "utf8",
  legalComments: "none",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  target: ["chrome123", "firefox121", "safari17.5"],
  logLevel: "warning",
};
const results = [
  // Runs in <head> before the first paint, so it is a classic script.
  await build({ ...common, entryPoints: ["src/theme.ts"], format: "iife" }),
  await build({ ...common, entryPoints: ["src/app.ts"], format: "esm", splitting: true }),
  await build({ ...common, entryPoints: { app: "src/styles/main.css" } }),
];

const entries = {};
const inputs = new Set();
for (const { metafile } of results) {
  for (const [file, output] of Object.entries(metafile.outputs)) {
    for (const input of Object.keys(output.inputs)) inputs.add(input);
    const name = basename(file);
    const logical = name.replace(/-[A-Z0-9]{8}(?=\.\w+$)/, "");
    if (output.entryPoint) entries[logical] = name;
  }
}

/** Copies bytes under a name that carries their hash. */
async function copy(logical, bytes) {
  const ext = extname(logical);
  const name = `${logical.slice(0, -ext.length)}-${sha256(bytes).slice(0, HASH_CHARS).toUpperCase()}${ext}`;
  await writeFile(join(dist, name), bytes);
  entries[logical] = name;
}

const pins = JSON.parse(await readFile(join(root, "pins.json"), "utf8"));
const htmxPath = "htmx.org/dist/htmx.min.js";
const htmx = await readFile(join(root, "node_modules", htmxPath));
if (sha256(htmx) !== pins[htmxPath]) {
  throw new Error(`${htmxPath} has sha256 ${sha256(htmx)}, pins.json wants ${pins[htmxPath]}: review the new file, then pin it`);
}
await copy("htmx.js", htmx);
for (const name of (await readdir(join(root, "src/img"))).sort()) {
  await copy(name, await readFile(join(root, "src/img", name)));
}

// Licences of exactly those packages whose code or data reached dist/.
const packages = new Set(["htmx.org"]);
for (const input of inputs) {
  const found = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//);
  if (found) packages.add(found[1]);
}
const licences = [];
for (const name of [...packages].sort()) {
  const dir = join(root, "node_modules", name);
  const { version, license } = JSON.parse(await readFile(join(dir, "package.json"), "utf8"));
  const file = (await readdir(dir)).find((f) => /^licen[cs]e/i.test(f));
  if (!file) throw new Error(`${name} has no licence file`);
  licences.push(`${name} ${version} (${license})\n\n${(await readFile(join(dir, file), "utf8")).trim()}\n`);
}
licences.push("Country outlines: Natural Earth (public domain), by way of world-atlas.\n");
await writeFile(join(dist, "LICENSES.txt"), licences.join(`\n${"-".repeat(78)}\n\n`));

// The style guide's pages name built files directly: keep the names current.
for (const page of ["styleguide.html", "styleguide/signin.html"]) {
  const text = await readFile(join(root, page), "utf8");
  const current = text.replaceAll(/dist\/([\w.]+)-[0-9A-Z]{8}(\.\w+)/g, (whole, name, ext) =>
    entries[name + ext] ? `dist/${entries[name + ext]}` : whole);
  await writeFile(join(root, page), current);
}

const sorted = Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)));
const manifest = { entries: sorted, sha256: await hashes(dist) };
await writeFile(join(dist, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
for (const [logical, name] of Object.entries(sorted)) console.log(logical.padEnd(14), name);
