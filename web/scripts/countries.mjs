// Writes src/data/countries.json: ISO 3166-1 alpha-2 -> [numeric id, longitude, latitude] (degrees, WGS 84).
// The point is the centroid of the country's largest polygon, so that France lies in Europe and a country too
// small for the 110m outline can still carry a dot. Run by hand (`npm run countries`) when world-atlas changes.
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { geoArea, geoCentroid } from "d3-geo";
import { feature } from "topojson-client";

const require = createRequire(import.meta.url);
const iso = JSON.parse(await readFile(new URL("../src/data/iso3166.json", import.meta.url), "utf8"));
const atlas = JSON.parse(await readFile(require.resolve("world-atlas/countries-50m.json"), "utf8"));

const largest = (geometry) => {
  if (geometry.type !== "MultiPolygon") return geometry;
  return geometry.coordinates
    .map((coordinates) => ({ type: "Polygon", coordinates }))
    .reduce((a, b) => (geoArea(b) > geoArea(a) ? b : a));
};
const round = (n) => Math.round(n * 100) / 100;

// Some ids appear twice (a country and a dependency drawn apart): the larger outline wins.
const byId = new Map();
for (const f of feature(atlas, atlas.objects.countries).features) {
  const id = f.id ?? (f.properties.name === "Kosovo" ? "XK" : undefined);
  if (id === undefined) continue;
  const shape = largest(f.geometry);
  const known = byId.get(id);
  if (!known || geoArea(shape) > geoArea(known)) byId.set(id, shape);
}

const rows = [];
const missing = [];
for (const [code, numeric] of [...Object.entries(iso), ["XK", "XK"]].sort()) {
  const shape = byId.get(numeric);
  if (!shape) {
    missing.push(code);
    continue;
  }
  rows.push(`  "${code}": ["${numeric}", ${geoCentroid(shape).map(round).join(", ")}]`);
}
await writeFile(new URL("../src/data/countries.json", import.meta.url), `{\n${rows.join(",\n")}\n}\n`);
console.log(`${rows.length} countries; no outline for: ${missing.join(" ")}`);
