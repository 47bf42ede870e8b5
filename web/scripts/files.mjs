// What the build and the check share: hashing, and the manifest of a directory.
import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Every file below `dir` except the manifest itself: path -> sha256 (hex). */
export async function hashes(dir) {
  const out = {};
  for (const name of (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath ?? e.path, e.name).slice(dir.length + 1).replaceAll("\\", "/"))
    .sort()) {
    if (name !== "manifest.json") out[name] = sha256(await readFile(join(dir, name)));
  }
  return out;
}
