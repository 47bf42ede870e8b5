// The neighbourhood of one object as a small graph (Cytoscape.js). One image to a screen reader; the relations are also
// a table beside it. Shape as well as colour tells the type.
import cytoscape from "cytoscape";
import { colours, fetchJson, guard, onTheme } from "./events";

interface Graph {
  nodes: { id: string; label: string; type: string; marking?: string; focus?: boolean }[];
  edges: { source: string; target: string; label: string }[];
}

const RING_MAX_NODES = 16; // the focus in the middle, its neighbours on an ellipse around it
const RING_SHARE = [0.36, 0.34] as const; // of the width and height
const LABEL_MIN_PX = 88;
const LABEL_CHAR_PX = 7; // an average letter at 12 px
const LABEL_MAX_PX = 150;
const LABEL_SHARE = 0.28; // of the width
const NODE_MAX_COUNT = 400;

/** Which group a STIX type falls into: its colour (custom property) and shape. */
const GROUPS: Record<string, { colour: string; shape: string; types: string[] }> = {
  actor: { colour: "--node-actor", shape: "diamond", types: ["threat-actor", "intrusion-set", "campaign", "identity"] },
  tool: { colour: "--node-tool", shape: "hexagon", types: ["malware", "tool", "infrastructure", "attack-pattern", "vulnerability"] },
  sign: { colour: "--node-sign", shape: "ellipse", types: ["indicator", "observed-data", "sighting"] },
  report: { colour: "--node-report", shape: "round-rectangle", types: ["report", "grouping", "note", "opinion", "course-of-action"] },
};
const groupOf = (type: string): string => Object.keys(GROUPS).find((g) => GROUPS[g]?.types.includes(type)) ?? "other";

// Cytoscape would insert a <style> element, which the content security policy forbids. It does not when one with this id
// exists; the one rule it wanted is in styles/islands.css.
function claimStyle(): void {
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

export function graph(element: HTMLElement): () => void {
  const href = element.dataset["href"] ?? "/intelligence/{id}";
  let cy: cytoscape.Core | undefined;
  claimStyle();

  const style = (): cytoscape.StylesheetJson => {
    const c = colours(element, {
      ink: "--ink", soft: "--ink-3", line: "--line-strong", bg: "--surface", accent: "--accent",
      actor: "--node-actor", tool: "--node-tool", sign: "--node-sign", report: "--node-report", other: "--ink-3",
    });
    const width = Math.max(LABEL_MIN_PX, Math.min(element.clientWidth * LABEL_SHARE, LABEL_MAX_PX));
    return [
      {
        selector: "node",
        style: {
          label: (n: cytoscape.NodeSingular) => shorten(String(n.data("label")), width / LABEL_CHAR_PX), color: c.ink, "font-size": 12, "font-family": "system-ui, sans-serif", "text-valign": "bottom", "text-margin-y": 6,
          "text-wrap": "wrap", "text-max-width": `${width}px`, "text-background-color": c.bg, "text-background-opacity": 0.85,
          "text-background-padding": "2px", width: 26, height: 26, "background-color": c.other, "border-width": 2, "border-color": c.bg,
        },
      },
      ...Object.entries(GROUPS).map(([name, { shape }]) => ({
        selector: `node[group = "${name}"]`,
        style: { "background-color": c[name as "actor" | "tool" | "sign" | "report"], shape: shape as cytoscape.Css.NodeShape },
      })),
      { selector: "node[?focus]", style: { width: 38, height: 38, "border-width": 4, "border-color": c.accent, "font-weight": "bold" } },
      {
        selector: "edge",
        style: {
          label: "data(label)", "font-size": 10, color: c.soft, "line-color": c.line, "target-arrow-color": c.line, "target-arrow-shape": "triangle",
          "curve-style": "bezier", width: 1.5, "arrow-scale": 0.9, "text-rotation": "autorotate", "text-background-color": c.bg,
          "text-background-opacity": 0.9, "text-background-padding": "2px", "font-family": "system-ui, sans-serif",
        },
      },
    ] as cytoscape.StylesheetJson;
  };

  // A ring as wide as the box allows keeps labels apart better than any force does.
  const layout = (count: number): cytoscape.LayoutOptions => {
    if (count > RING_MAX_NODES) {
      return { name: "cose", randomize: false, animate: false, padding: 28, nodeRepulsion: () => 12_000, idealEdgeLength: () => 90 };
    }
    const [w, h] = [element.clientWidth, element.clientHeight];
    let at = 0;
    const ring = new Map<string, { x: number; y: number }>();
    return {
      name: "preset",
      fit: false,
      positions: (node: unknown) => {
        const { id, focus } = (node as cytoscape.NodeSingular).data() as { id: string; focus: boolean };
        if (focus) return { x: w / 2, y: h / 2 - 10 };
        const known = ring.get(id);
        if (known !== undefined) return known;
        const turn = (2 * Math.PI * at++) / Math.max(count - 1, 1) - Math.PI / 2;
        const spot = { x: w / 2 + Math.cos(turn) * w * RING_SHARE[0], y: h / 2 - 10 + Math.sin(turn) * h * RING_SHARE[1] };
        ring.set(id, spot);
        return spot;
      },
    } as cytoscape.LayoutOptions;
  };

  const load = async (): Promise<void> => {
    const data = await fetchJson<Graph>(element.dataset["src"] ?? "");
    const nodes = data.nodes.slice(0, NODE_MAX_COUNT);
    const known = new Set(nodes.map((n) => n.id));
    const focus = element.dataset["focus"] ?? nodes[0]?.id;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    cy?.destroy();
    cy = cytoscape({
      container: element,
      elements: {
        nodes: nodes.map((n) => ({ data: { ...n, group: groupOf(n.type), focus: n.id === focus } })),
        edges: data.edges.filter((e) => known.has(e.source) && known.has(e.target)).map((e) => ({ data: { ...e } })),
      },
      style: style(),
      layout: layout(nodes.length),
      userZoomingEnabled: false, // the page scrolls under the pointer
      userPanningEnabled: false,
      boxSelectionEnabled: false,
      autounselectify: true,
      motionBlur: !still,
      maxZoom: 1.2,
    });
    cy.on("tap", "node", (event) => {
      const id = String(event.target.id());
      if (id !== focus) location.assign(href.replace("{id}", encodeURIComponent(id)));
    });
    cy.on("mouseover", "node", () => (element.style.cursor = "pointer"));
    cy.on("mouseout", "node", () => (element.style.cursor = ""));
  };

  const stopTheme = onTheme(() => cy?.style(style()));
  const resize = new ResizeObserver(() => {
    cy?.resize();
    cy?.style(style());
    const count = cy?.nodes().length ?? 0;
    cy?.layout(layout(count)).run();
    if (count > RING_MAX_NODES) cy?.fit(undefined, 28);
  });
  resize.observe(element);
  guard(element, load());
  return () => {
    stopTheme();
    resize.disconnect();
    cy?.destroy();
  };
}
