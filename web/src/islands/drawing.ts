// What the two drawings of objects share (Cytoscape.js): how a type looks, how labels are cut, and how nodes are kept
// apart so that every label can be read. Shape as well as colour tells the type.
import cytoscape from "cytoscape";
import { colours } from "./events";

export interface GraphNode {
  id: string;
  label: string;
  type: string;
  marking?: string | null;
  known?: boolean;
  withdrawn?: boolean;
  relations?: number;
}
export interface GraphEdge {
  source: string;
  target: string;
  label: string;
  via?: string;
}
export interface GraphData {
  nodes: GraphNode[];
  edges: GraphEdge[];
  total?: number;
  next?: string | null;
}
export interface Spot {
  x: number;
  y: number;
}

const LABEL_CHAR_PX = 7; // an average letter at 12 px
const APART_ROUNDS = 90;
const APART_GAP_PX = 6;

/** Which group a STIX type falls into: its colour (custom property) and shape. */
const GROUPS: Record<string, { shape: string; types: string[] }> = {
  actor: { shape: "diamond", types: ["threat-actor", "intrusion-set", "campaign", "identity"] },
  tool: { shape: "hexagon", types: ["malware", "tool", "infrastructure", "attack-pattern", "vulnerability"] },
  sign: { shape: "ellipse", types: ["indicator", "observed-data", "sighting"] },
  report: { shape: "round-rectangle", types: ["report", "grouping", "note", "opinion", "course-of-action"] },
};
export const groupOf = (type: string): string => Object.keys(GROUPS).find((g) => GROUPS[g]?.types.includes(type)) ?? "other";

/**
 * Cytoscape would insert a <style> element, which the content security policy forbids. It does not when one with this id
 * exists; the one rule it wanted is in styles/islands.css.
 */
export function claimStyle(): void {
  const id = "__________cytoscape_stylesheet";
  if (document.getElementById(id) !== null) return;
  const meta = document.createElement("meta");
  meta.id = id;
  document.head.append(meta);
}

/** Cuts the middle out of words (hashes, domains) that do not fit one line; words are never broken over lines. */
function shorten(label: string, chars: number): string {
  const half = Math.max(Math.floor((chars - 1) / 2), 3);
  return label.split(" ").map((w) => (w.length > chars ? `${w.slice(0, half)}…${w.slice(-half)}` : w)).join(" ");
}

/** The look of both drawings; labels are at most `width` px wide, and `name` says what stands under a node. */
export function look(element: HTMLElement, width: number, name: (node: cytoscape.NodeSingular) => string): cytoscape.StylesheetJson {
  const c = colours(element, {
    ink: "--ink", soft: "--ink-3", line: "--line-strong", bg: "--surface", accent: "--accent", found: "--warn",
    actor: "--node-actor", tool: "--node-tool", sign: "--node-sign", report: "--node-report", other: "--ink-3",
  });
  const font = "system-ui, sans-serif";
  return [
    {
      selector: "node",
      style: {
        label: (n: cytoscape.NodeSingular) => shorten(name(n), width / LABEL_CHAR_PX), color: c.ink, "font-size": 12, "font-family": font, "text-valign": "bottom", "text-margin-y": 5,
        "text-wrap": "wrap", "text-max-width": `${width}px`, "text-background-color": c.bg, "text-background-opacity": 0.85,
        "text-background-padding": "2px", width: 26, height: 26, "background-color": c.other, "border-width": 2, "border-color": c.bg,
      },
    },
    ...Object.entries(GROUPS).map(([group, { shape }]) => ({
      selector: `node[group = "${group}"]`,
      style: { "background-color": c[group as "actor" | "tool" | "sign" | "report"], shape: shape as cytoscape.Css.NodeShape },
    })),
    { selector: "node[?focus]", style: { width: 38, height: 38, "border-width": 4, "border-color": c.accent, "font-weight": "bold" } },
    { selector: "node[?withdrawn], node[!known]", style: { "background-opacity": 0.35, "border-color": c.line, "border-style": "dashed" } },
    { selector: "node[?pinned]", style: { "border-width": 5, "border-color": c.accent, "border-style": "double" } },
    { selector: "node.found", style: { "border-width": 5, "border-color": c.found } },
    { selector: "node.chosen", style: { "overlay-color": c.accent, "overlay-opacity": 0.2, "overlay-padding": 6 } },
    { selector: ".faded", style: { opacity: 0.25 } },
    { selector: ".hidden", style: { display: "none" } },
    {
      selector: "edge",
      style: {
        label: "data(label)", "font-size": 10, color: c.soft, "line-color": c.line, "target-arrow-color": c.line, "target-arrow-shape": "triangle",
        "curve-style": "bezier", width: 1.5, "arrow-scale": 0.9, "text-rotation": "autorotate", "text-background-color": c.bg,
        "text-background-opacity": 0.9, "text-background-padding": "2px", "font-family": font,
      },
    },
    { selector: "edge.quiet", style: { label: "" } },
    { selector: "edge.named", style: { label: "data(label)" } },
    { selector: "edge.loud", style: { "line-color": c.accent, "target-arrow-color": c.accent, width: 2 } },
  ] as unknown as cytoscape.StylesheetJson;
}

interface Box {
  node: cytoscape.NodeSingular;
  x: number;
  y: number;
  left: number;
  right: number;
  up: number;
  down: number;
  fixed: boolean;
}

/**
 * Where each node goes so that no node or label covers another: boxes that overlap are pushed apart, the shorter way, until
 * none do or the rounds are over. Fixed ones stay; `within` keeps everything inside a rectangle.
 */
export function apart(nodes: cytoscape.NodeCollection, spots: Map<string, Spot>, fixed: (node: cytoscape.NodeSingular) => boolean, within?: { width: number; height: number }): Map<string, Spot> {
  const boxes: Box[] = nodes.map((node) => {
    const box = node.boundingBox({ includeLabels: true, includeOverlays: false, includeEdges: false });
    const at = node.position();
    const spot = spots.get(node.id()) ?? at;
    return { node, x: spot.x, y: spot.y, left: at.x - box.x1, right: box.x2 - at.x, up: at.y - box.y1, down: box.y2 - at.y, fixed: fixed(node) };
  });
  for (let round = 0; round < APART_ROUNDS; round++) {
    let moved = false;
    boxes.sort((a, b) => a.x - a.left - (b.x - b.left));
    for (let i = 0; i < boxes.length; i++) {
      const a = boxes[i] as Box;
      for (let j = i + 1; j < boxes.length; j++) {
        const b = boxes[j] as Box;
        if (b.x - b.left > a.x + a.right + APART_GAP_PX) break;
        if (a.fixed && b.fixed) continue;
        const dx = Math.min(a.x + a.right, b.x + b.right) - Math.max(a.x - a.left, b.x - b.left) + APART_GAP_PX;
        const dy = Math.min(a.y + a.down, b.y + b.down) - Math.max(a.y - a.up, b.y - b.up) + APART_GAP_PX;
        if (dx <= 0 || dy <= 0) continue;
        moved = true;
        const share = a.fixed || b.fixed ? 1 : 0.5;
        const along = dx < dy ? "x" : "y";
        const by = Math.min(dx, dy) * share;
        const way = a[along] < b[along] || (a[along] === b[along] && a.node.id() < b.node.id()) ? -1 : 1;
        if (!a.fixed) a[along] += way * by;
        if (!b.fixed) b[along] -= way * by;
      }
    }
    if (within !== undefined) {
      for (const box of boxes) {
        box.x = Math.min(Math.max(box.x, box.left + 2), within.width - box.right - 2);
        box.y = Math.min(Math.max(box.y, box.up + 2), within.height - box.down - 2);
      }
    }
    if (!moved) break;
  }
  return new Map(boxes.map((box) => [box.node.id(), { x: box.x, y: box.y }]));
}
