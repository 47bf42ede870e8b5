// The world map of the picture: each member's country by state, dots for countries too small to see, and arcs between
// countries that share a live warning. Drawn as SVG with classes; every colour is in the stylesheet.
import { geoArea, geoNaturalEarth1, geoPath, type GeoPath, type GeoProjection } from "d3-geo";
import type { Feature, FeatureCollection, Geometry, MultiPoint } from "geojson";
import { feature, mesh } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import atlas from "world-atlas/countries-110m.json";
import countries from "../data/countries.json";
import { fetchJson, guard, onLive } from "./events";

interface Country {
  country: string; // ISO 3166-1 alpha-2
  name: string;
  state: "calm" | "warned" | "hit" | "silent";
  members?: string[];
  detail?: string;
  warnings?: string[]; // ids of live warnings this country has a part in
}
type Fit = "world" | "europe" | "members";
type Place = [string, number, number];

const STATES = ["silent", "calm", "warned", "hit"]; // drawn in this order, the gravest on top
const ARCS_MAX_COUNT = 60;
const DOT_BELOW_PX2 = 90;
const SVG = "http://www.w3.org/2000/svg";
const PLACES = countries as unknown as Record<string, Place>;

const topology = atlas as unknown as Topology<{ countries: GeometryCollection<{ name: string }> }>;
const shapes = feature(topology, topology.objects.countries).features;
const borders = mesh(topology, topology.objects.countries, (a, b) => a !== b);
const shapeOf = new Map<string, Feature<Geometry>>(
  shapes.map((s) => [s.id === undefined ? (s.properties.name === "Kosovo" ? "XK" : s.properties.name) : String(s.id), s]),
);
// Antarctica has no member and takes a fifth of the height.
const lands: FeatureCollection = { type: "FeatureCollection", features: shapes.filter((s) => s.id !== "010") };

const corners = (...coordinates: [number, number][]): MultiPoint => ({ type: "MultiPoint", coordinates });
const EUROPE = corners([-11, 36], [-11, 58], [34, 35], [32, 60], [-22, 64], [25, 69]);
const SPAN_MIN = 2; // degrees each side of a lone member, so that a view never collapses to a point

function node<K extends keyof SVGElementTagNameMap>(name: K, attributes: Record<string, string>): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Pairs of countries that share a warning: from each that was hit to every other that was told. */
function links(rows: Country[]): [string, string][] {
  const told = new Map<string, Country[]>();
  for (const row of rows) for (const id of row.warnings ?? []) told.set(id, [...(told.get(id) ?? []), row]);
  const seen = new Map<string, [string, string]>();
  for (const [, sharing] of [...told].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const hit = sharing.filter((r) => r.state === "hit");
    for (const from of hit.length > 0 ? hit : sharing.slice(0, 1)) {
      for (const to of sharing) {
        const key = [from.country, to.country].sort().join(" ");
        if (from.country !== to.country && !seen.has(key)) seen.set(key, [from.country, to.country]);
      }
    }
  }
  return [...seen.values()].slice(0, ARCS_MAX_COUNT);
}

/** A gentle bow between two points, bent upwards. */
function bow([ax, ay]: [number, number], [bx, by]: [number, number]): string {
  const lift = Math.min(Math.hypot(bx - ax, by - ay) * 0.28, 90);
  return `M${ax.toFixed(1)},${ay.toFixed(1)}Q${((ax + bx) / 2).toFixed(1)},${((ay + by) / 2 - lift).toFixed(1)} ${bx.toFixed(1)},${by.toFixed(1)}`;
}

export function map(element: HTMLElement): () => void {
  const src = element.dataset["src"] ?? "";
  let fit: Fit = (element.dataset["fit"] as Fit | undefined) ?? "world";
  let rows: Country[] = [];
  let loaded = false;
  let known: Set<string> | undefined; // arcs drawn before; undefined until the first drawing
  let current: string | undefined; // the country that has the keyboard

  const tip = document.createElement("div");
  tip.className = "map-tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true"); // the same words are each country's label

  const label = (state: string): string => element.dataset[`label${state[0]?.toUpperCase()}${state.slice(1)}`] ?? state;
  const words = (row: Country): string =>
    [`${row.name}: ${label(row.state)}`, (row.members ?? []).join(", "), row.detail ?? ""].filter((t) => t !== "").join(". ");

  const view = (width: number, height: number): [GeoProjection, GeoPath] => {
    const projection = geoNaturalEarth1();
    const points = rows.flatMap((r): [number, number][] => {
      const place = PLACES[r.country];
      return place === undefined ? [] : [[place[1] - SPAN_MIN, place[2] - SPAN_MIN], [place[1] + SPAN_MIN, place[2] + SPAN_MIN]];
    });
    const target = fit === "europe" ? EUROPE : fit === "members" && points.length > 0 ? corners(...points) : lands;
    const pad = fit === "world" ? 4 : Math.min(width, height) * 0.06;
    projection.fitExtent([[pad, pad], [width - pad, height - pad]], target);
    projection.clipExtent([[-20, -20], [width + 20, height + 20]]);
    return [projection, geoPath(projection).digits(1)];
  };

  const showTip = (row: Country, x: number, y: number): void => {
    const head = document.createElement("strong");
    head.textContent = row.name;
    const state = document.createElement("span");
    state.className = `map-tip-state state-${row.state}`;
    state.textContent = label(row.state);
    const lines = [(row.members ?? []).join(", "), row.detail ?? ""].filter((t) => t !== "").map((t) => {
      const line = document.createElement("p");
      line.textContent = t;
      return line;
    });
    tip.replaceChildren(head, state, ...lines);
    tip.hidden = false;
    const room = element.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(x + 12, room))}px`;
    tip.style.top = `${y > element.clientHeight / 2 ? y - tip.offsetHeight - 12 : y + 16}px`;
  };

  const draw = (): void => {
    const width = Math.max(element.clientWidth, 240);
    const height = Math.round(width * (width < 600 ? 0.72 : 0.5));
    const [projection, path] = view(width, height);
    const had = element.contains(document.activeElement);
    const svg = node("svg", {
      viewBox: `0 0 ${width} ${height}`, width: String(width), height: String(height), role: "group",
      "aria-label": element.dataset["label"] ?? "World map of members by state", class: "map",
    });
    svg.append(node("path", { class: "map-land", d: path(lands) ?? "" }), node("path", { class: "map-borders", d: path(borders) ?? "" }));

    const sorted = rows.filter((r) => PLACES[r.country] !== undefined);
    const centre = (code: string): [number, number] | undefined => {
      const place = PLACES[code];
      return place === undefined ? undefined : (projection([place[1], place[2]]) ?? undefined);
    };
    const arcs = node("g", { class: "map-arcs", "aria-hidden": "true" });
    const pairs = links(sorted);
    for (const [from, to] of pairs) {
      const a = centre(from);
      const b = centre(to);
      if (a === undefined || b === undefined) continue;
      const isNew = known !== undefined && !known.has(`${from} ${to}`);
      arcs.append(node("path", { class: isNew ? "map-arc is-new" : "map-arc", d: bow(a, b), pathLength: "1" }));
    }
    if (loaded) known = new Set(pairs.map(([from, to]) => `${from} ${to}`));

    const group = node("g", { class: "map-countries" });
    const marks = new Map<string, SVGElement>();
    for (const row of sorted.toSorted((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state))) {
      const [id] = PLACES[row.country] as Place;
      const shape = shapeOf.get(id);
      const state = STATES.includes(row.state) ? row.state : "silent";
      const mark = node("g", { class: `map-country state-${state}`, tabindex: "-1", role: "img", "aria-label": words(row), "data-country": row.country });
      if (shape !== undefined && geoArea(shape) > 0) mark.append(node("path", { d: path(shape) ?? "" }));
      const at = centre(row.country);
      if (at !== undefined && (shape === undefined || path.area(shape) < DOT_BELOW_PX2)) {
        mark.append(node("circle", { cx: at[0].toFixed(1), cy: at[1].toFixed(1), r: "5" }));
      }
      const point = (event: PointerEvent): void => {
        const box = element.getBoundingClientRect();
        showTip(row, event.clientX - box.left, event.clientY - box.top);
      };
      mark.addEventListener("pointerenter", point);
      mark.addEventListener("pointermove", point);
      mark.addEventListener("pointerleave", () => (tip.hidden = true));
      mark.addEventListener("focus", () => {
        current = row.country;
        const spot = centre(row.country);
        if (spot !== undefined) showTip(row, spot[0], spot[1]);
      });
      mark.addEventListener("blur", () => (tip.hidden = true));
      group.append(mark);
      marks.set(row.country, mark);
    }

    // One tab stop for the whole map; the arrow keys walk the countries by name.
    const order = sorted.toSorted((a, b) => a.name.localeCompare(b.name)).map((r) => r.country);
    const start = current !== undefined && marks.has(current) ? current : order[0];
    if (start !== undefined) marks.get(start)?.setAttribute("tabindex", "0");
    group.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") tip.hidden = true;
      if (step === undefined || current === undefined) return;
      event.preventDefault();
      const next = order[(order.indexOf(current) + step + order.length) % order.length];
      if (next === undefined) return;
      marks.get(current)?.setAttribute("tabindex", "-1");
      marks.get(next)?.setAttribute("tabindex", "0");
      marks.get(next)?.focus();
    });

    svg.append(group, arcs);
    tip.hidden = true;
    element.replaceChildren(svg, tip);
    if (had && current !== undefined) marks.get(current)?.focus();
  };

  const load = async (): Promise<void> => {
    rows = await fetchJson<Country[]>(src);
    loaded = true;
    draw();
  };

  // `<button data-map-fit="europe" aria-controls="<id of this island>">`
  const buttons = (): NodeListOf<HTMLElement> => document.querySelectorAll(`[data-map-fit][aria-controls="${CSS.escape(element.id)}"]`);
  const refit = (event: Event): void => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-map-fit]") : null;
    if (button === null || button.getAttribute("aria-controls") !== element.id) return;
    fit = (button.dataset["mapFit"] as Fit | undefined) ?? "world";
    for (const b of buttons()) b.setAttribute("aria-pressed", String(b === button));
    draw();
  };
  document.addEventListener("click", refit);

  let drawnAt = 0;
  const resize = new ResizeObserver(() => {
    if (Math.abs(element.clientWidth - drawnAt) < 1) return;
    drawnAt = element.clientWidth;
    draw();
  });
  resize.observe(element);
  const stopLive = onLive(["warning", "sighting", "member"], () => guard(element, load()));
  guard(element, load());
  return () => {
    document.removeEventListener("click", refit);
    resize.disconnect();
    stopLive();
  };
}
