// Checks that dist/ is exactly what its manifest says: no file changed, missing or extra. Needs no packages.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { hashes } from "./files.mjs";

const dist = join(dirname(fileURLToPath(import.meta.url)), "..", "dist");
const want = JSON.parse(await readFile(join(dist, "manifest.json"), "utf8"));
const have = await hashes(dist);
const wrong = [];
for (const name of new Set([...Object.keys(want.sha256), ...Object.keys(have)])) {
  if (want.sha256[name] !== have[name]) wrong.push(`${name}: manifest ${want.sha256[name] ?? "none"}, file ${have[name] ?? "none"}`);
}
for (const [logical, name] of Object.entries(want.entries)) if (!have[name]) wrong.push(`entry ${logical} -> ${name}: no such file`);
if (wrong.length > 0) {
  console.error(wrong.join("\n"));
  process.exit(1);
}
console.log(`${Object.keys(have).length} files as in the manifest`);
