// The neighbourhood of one object as a small picture. One image to a screen reader; the relations are also a table
// beside it, and the explorer unfolds more.
import cytoscape from "cytoscape";
import { apart, claimStyle, groupOf, look, type GraphData, type Spot } from "./drawing";
import { fetchJson, guard, onTheme } from "./events";

const RING_SHARE = [0.37, 0.36] as const; // of the width and height
const LABEL_MIN_PX = 84;
const LABEL_MAX_PX = 150;
const LABEL_SHARE = 0.24; // of the width
const NODES_MAX = 13;
const NODES_MAX_NARROW = 8;
const NARROW_PX = 480;

export function graph(element: HTMLElement): () => void {
  const href = element.dataset["href"] ?? "/intelligence/{id}";
  let cy: cytoscape.Core | undefined;
  let data: GraphData = { nodes: [], edges: [] };
  claimStyle();

  const style = (): cytoscape.StylesheetJson => {
    const width = Math.max(LABEL_MIN_PX, Math.min(element.clientWidth * LABEL_SHARE, LABEL_MAX_PX));
    return look(element, width, (node) => String(node.data("label")));
  };

  // A ring as wide as the box allows, then pushed apart until every label can be read.
  const arrange = (): void => {
    if (cy === undefined) return;
    const [width, height] = [element.clientWidth, element.clientHeight];
    const others = cy.nodes("[!focus]");
    const spots = new Map<string, Spot>();
    others.forEach((node, at) => {
      const turn = (2 * Math.PI * at) / Math.max(others.length, 1) - Math.PI / 2;
      spots.set(node.id(), { x: width / 2 + Math.cos(turn) * width * RING_SHARE[0], y: height / 2 - 14 + Math.sin(turn) * height * RING_SHARE[1] });
    });
    cy.nodes("[?focus]").forEach((node) => void spots.set(node.id(), { x: width / 2, y: height / 2 - 14 }));
    const places = apart(cy.nodes(), spots, (node) => Boolean(node.data("focus")), { width, height });
    cy.nodes().positions((node) => places.get(node.id()) ?? { x: width / 2, y: height / 2 });
    cy.zoom(1).pan({ x: 0, y: 0 });
  };

  const draw = (): void => {
    const nodes = data.nodes.slice(0, element.clientWidth < NARROW_PX ? NODES_MAX_NARROW : NODES_MAX);
    const known = new Set(nodes.map((n) => n.id));
    const focus = element.dataset["focus"] ?? nodes[0]?.id;
    cy?.destroy();
    cy = cytoscape({
      container: element,
      elements: {
        nodes: nodes.map((n) => ({ data: { known: true, ...n, group: groupOf(n.type), focus: n.id === focus } })),
        edges: data.edges.filter((e) => known.has(e.source) && known.has(e.target)).map((e) => ({ data: { ...e } })),
      },
      style: style(),
      layout: { name: "preset" },
      userZoomingEnabled: false, // the page scrolls under the pointer
      userPanningEnabled: false,
      boxSelectionEnabled: false,
      autounselectify: true,
    });
    arrange();
    cy.on("tap", "node", (event) => {
      const id = String(event.target.id());
      if (id !== focus) location.assign(href.replace("{id}", encodeURIComponent(id)));
    });
    cy.on("mouseover", "node", () => (element.style.cursor = "pointer"));
    cy.on("mouseout", "node", () => (element.style.cursor = ""));
  };

  const stopTheme = onTheme(() => cy?.style(style()));
  let width = element.clientWidth;
  const resize = new ResizeObserver(() => {
    if (element.clientWidth === width || data.nodes.length === 0) return;
    width = element.clientWidth;
    draw();
  });
  resize.observe(element);
  guard(
    element,
    fetchJson<GraphData>(element.dataset["src"] ?? "").then((read) => {
      data = read;
      draw();
    }),
  );
  return () => {
    stopTheme();
    resize.disconnect();
    cy?.destroy();
  };
}
