// The graph explorer: objects unfold on click or Enter, by pages; found, filtered, pinned, taken away as a picture or a
// bundle. The table beside it says the same and does the same, row by row.
import cytoscape from "cytoscape";
import { apart, claimStyle, groupOf, look, type GraphData, type GraphNode, type Spot } from "./drawing";
import { colours, fetchJson, guard, onTheme } from "./events";

const LABEL_PX = 140;
const RING_PX = 175; // the first ring's radius
const RING_STEP_PX = 120;
const SEAT_PX = 150; // along a ring, for one node and its label
const FAN = (Math.PI * 4) / 3; // what unfolds away from the centre
const EDGE_LABELS_MAX = 18; // more would cover each other: then only the chosen node's are shown
const TIES_NAMED_MAX = 3;
const STRETCH = [0.75, 2] as const; // how much wider than high a ring may be, after the box
const ZOOM_MIN_FIRST = 0.6; // smaller, and labels cannot be read
const BUNDLE_MAX = 1_000;
const SECTOR = Math.PI / 3; // how far to the side an arrow key looks
const MOVE_MS = 250;

type Facet = "type" | "marking" | "label";

export function explorer(element: HTMLElement): () => void {
  const card = element.closest(".explorer") ?? document.body;
  const table = document.querySelector<HTMLTableElement>("[data-explorer-table] tbody, table[data-explorer-table] tbody");
  const said = card.querySelector<HTMLElement>("[data-explorer-said]");
  const chips = card.querySelector<HTMLElement>("[data-explorer-filter]");
  const tools = card.querySelector<HTMLElement>("[data-explorer-tools]");
  const word = (name: string): string => element.dataset[`label${name}`] ?? "";
  const href = element.dataset["href"] ?? "/intelligence/{id}";
  const most = Number(element.dataset["most"] ?? 500);
  const typeNames = JSON.parse(element.dataset["types"] ?? "{}") as Record<string, string>;
  const focus = element.dataset["focus"] ?? "";
  const source = new URL(element.dataset["src"] ?? "", location.href);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const hidden: Record<Facet, Set<string>> = { type: new Set(), marking: new Set(), label: new Set() };
  const next = new Map<string, string | null>(); // by unfolded object: where its next page begins
  const busy = new Set<string>();
  let chosen = focus;
  let sought = "";

  claimStyle();
  const name = (node: cytoscape.NodeSingular): string => {
    const more = left(node);
    return more > 0 ? `${String(node.data("label"))}\n+${more}` : String(node.data("label"));
  };
  const style = (): cytoscape.StylesheetJson => look(element, LABEL_PX, name);
  const cy = cytoscape({
    container: element, style: style(), layout: { name: "preset" }, boxSelectionEnabled: false, autounselectify: true,
    minZoom: 0.1, maxZoom: 2.5, userZoomingEnabled: false, userPanningEnabled: false,
  });

  const typeName = (type: string): string => typeNames[type] ?? type;
  const find = (id: string): cytoscape.NodeSingular | undefined => {
    const node = cy.getElementById(id);
    return node.length > 0 ? (node as unknown as cytoscape.NodeSingular) : undefined;
  };
  /** How many connections of a node are not drawn. */
  function left(node: cytoscape.NodeSingular): number {
    if (next.get(node.id()) === null) return 0;
    return Math.max(Number(node.data("relations") ?? 0) - node.connectedEdges().length, 0);
  }
  const shown = (): cytoscape.NodeCollection => cy.nodes().not(".hidden");

  // ---- drawing

  /** Seats for what unfolds around `centre`: rings, all around or away from where it came from. */
  function seats(centre: Spot, count: number, away: number | undefined): Spot[] {
    const out: Spot[] = [];
    const wide = Math.min(Math.max(element.clientWidth / Math.max(element.clientHeight, 1), STRETCH[0]), STRETCH[1]);
    const [sx, sy] = wide > 1 ? [wide, 1] : [1, 1 / wide];
    const range = away === undefined ? 2 * Math.PI : FAN;
    for (let radius = RING_PX; out.length < count; radius += RING_STEP_PX) {
      const fits = Math.max(Math.floor((range * radius * (sx + sy)) / 2 / SEAT_PX), 3);
      const here = Math.min(fits, count - out.length);
      for (let seat = 0; seat < here; seat++) {
        const turn = away === undefined ? (2 * Math.PI * seat) / here - Math.PI / 2 : away + (here === 1 ? 0 : (seat / (here - 1) - 0.5) * range);
        out.push({ x: centre.x + radius * sx * Math.cos(turn), y: centre.y + radius * sy * Math.sin(turn) });
      }
    }
    return out;
  }

  function arrange(spots: Map<string, Spot>, keep: ReadonlySet<string>): void {
    const fixed = (node: cytoscape.NodeSingular): boolean => Boolean(node.data("pinned")) || node.id() === focus || keep.has(node.id());
    const places = apart(shown(), spots, fixed);
    const layout = cy.layout({
      name: "preset", fit: false, animate: !still, animationDuration: MOVE_MS,
      positions: (node: unknown) => {
        const one = node as cytoscape.NodeSingular;
        return places.get(one.id()) ?? one.position();
      },
    } as cytoscape.LayoutOptions);
    layout.one("layoutstop", () => see());
    layout.run();
  }

  /** Everything, or where that would be too small to read, what is chosen. */
  function see(): void {
    fit();
    const node = find(chosen);
    if (cy.zoom() >= ZOOM_MIN_FIRST || node === undefined) return;
    cy.zoom(ZOOM_MIN_FIRST);
    cy.center(node);
  }

  function fit(): void {
    cy.resize();
    cy.fit(shown(), 24);
    if (cy.zoom() > 1.1) {
      cy.zoom(1.1);
      cy.center(shown());
    }
  }

  /** Adds what was read about `from`; gives the ids that are new. */
  function take(data: GraphData, from: string): string[] {
    const added: string[] = [];
    let full = false;
    for (const node of data.nodes) {
      if (find(node.id) !== undefined) continue;
      if (cy.nodes().length >= most) {
        full = true;
        break;
      }
      cy.add({ group: "nodes", data: { ...node, group: groupOf(node.type), focus: node.id === focus, pinned: false } });
      added.push(node.id);
    }
    for (const edge of data.edges) {
      const id = `${edge.via ?? ""} ${edge.source} ${edge.label} ${edge.target}`;
      if (find(edge.source) === undefined || find(edge.target) === undefined || cy.getElementById(id).length > 0) continue;
      cy.add({ group: "edges", data: { ...edge, id } });
    }
    next.set(from, full ? (next.get(from) ?? null) : (data.next ?? null));
    if (full) say(word("Full"));
    return added;
  }

  async function unfold(id: string): Promise<void> {
    const node = find(id);
    if (node === undefined || busy.has(id) || node.data("known") === false) return;
    const after = next.get(id);
    if (after === null) return choose(id);
    if (cy.nodes().length >= most) return say(word("Full"));
    busy.add(id);
    try {
      const address = new URL(`/api/v1/objects/${encodeURIComponent(id)}/graph`, location.href);
      source.searchParams.forEach((value, key) => key !== "after" && address.searchParams.append(key, value));
      if (after !== undefined) address.searchParams.set("after", after);
      const data = await fetchJson<GraphData>(address.href);
      const was = new Set(cy.nodes().map((one) => one.id()));
      const added = take(data, id);
      const spots = new Map<string, Spot>();
      const centre = node.position();
      const middle = find(focus)?.position() ?? { x: 0, y: 0 };
      const away = id === focus ? undefined : Math.atan2(centre.y - middle.y, centre.x - middle.x);
      seats(centre, added.length, away).forEach((spot, at) => {
        const one = added[at];
        if (one === undefined) return;
        spots.set(one, spot);
        find(one)?.position(still ? spot : centre);
      });
      // What is drawn already moves only if nothing else helps: it is let go when too much is pushed against it.
      refresh();
      arrange(spots, added.length > 12 ? new Set() : new Set([...was].filter((one) => find(one)?.data("pinned"))));
      choose(id);
    } finally {
      busy.delete(id);
    }
  }

  // ---- choosing, pinning, filtering, finding

  function say(text: string): void {
    if (said !== null) said.textContent = text;
  }

  function choose(id: string): void {
    chosen = id;
    cy.nodes().removeClass("chosen");
    cy.edges().removeClass("loud named");
    const node = find(id);
    if (node === undefined) return;
    node.addClass("chosen");
    const tied = node.connectedEdges();
    tied.addClass("loud").toggleClass("named", tied.length <= EDGE_LABELS_MAX);
    const marking = node.data("marking") as string | null;
    const parts = [String(node.data("label")), typeName(String(node.data("type"))), marking ? `TLP:${marking}` : word("Unmarked")];
    const more = left(node);
    if (more > 0) parts.push(`${more} ${word("More")}`);
    say(parts.join(" · "));
  }

  function pin(id: string): void {
    const node = find(id);
    if (node === undefined) return;
    node.data("pinned", !node.data("pinned"));
    refresh();
    choose(id);
  }

  const facet = (node: cytoscape.NodeSingular, which: Facet): string[] => {
    if (which === "type") return [String(node.data("type"))];
    if (which === "marking") return [String(node.data("marking") ?? "")];
    return node.connectedEdges().map((edge) => String(edge.data("label")));
  };

  function filter(): void {
    cy.edges().forEach((edge) => void edge.toggleClass("hidden", hidden.label.has(String(edge.data("label")))));
    cy.nodes().forEach((node) => {
      const off = node.id() !== focus && (hidden.type.has(String(node.data("type"))) || hidden.marking.has(String(node.data("marking") ?? "")) || (hidden.label.size > 0 && facet(node, "label").every((label) => hidden.label.has(label))));
      node.toggleClass("hidden", off);
    });
    const many = cy.edges().not(".hidden").length > EDGE_LABELS_MAX;
    cy.edges().forEach((edge) => void edge.toggleClass("quiet", many));
  }

  function seek(text: string): void {
    const wanted = text.trim().toLowerCase();
    cy.elements().removeClass("found faded");
    if (wanted === "") return;
    const fits = shown().filter((node) => String(node.data("label")).toLowerCase().includes(wanted) || node.id().toLowerCase().includes(wanted));
    if (fits.length === 0) return say(word("None"));
    cy.elements().not(fits).addClass("faded");
    fits.addClass("found");
    const at = wanted === sought ? (fits.map((node) => node.id()).indexOf(chosen) + 1) % fits.length : 0;
    sought = wanted;
    const node = fits[at];
    if (node === undefined) return;
    choose(node.id());
    cy.animate({ center: { eles: node }, duration: still ? 0 : MOVE_MS });
  }

  /** The nearest object that way. */
  function step(dx: number, dy: number): void {
    const from = find(chosen)?.position() ?? { x: 0, y: 0 };
    let best: { id: string; far: number } | undefined;
    shown().forEach((node) => {
      if (node.id() === chosen) return;
      const at = node.position();
      const [x, y] = [at.x - from.x, at.y - from.y];
      const off = Math.abs(Math.atan2(x * dy - y * dx, x * dx + y * dy));
      const far = Math.hypot(x, y) * (1 + off);
      if (off <= SECTOR && (best === undefined || far < best.far)) best = { id: node.id(), far };
    });
    if (best === undefined) return;
    choose(best.id);
    const node = find(best.id);
    if (node !== undefined && !inView(node)) cy.animate({ center: { eles: node }, duration: still ? 0 : MOVE_MS });
  }

  function inView(node: cytoscape.NodeSingular): boolean {
    const at = node.renderedPosition();
    return at.x > 0 && at.y > 0 && at.x < element.clientWidth && at.y < element.clientHeight;
  }

  // ---- what stands beside the drawing

  function button(text: string, about: string, act: () => void, pressed?: boolean): HTMLButtonElement {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "btn btn-small";
    made.textContent = text;
    made.setAttribute("aria-label", `${text}: ${about}`);
    if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed));
    made.addEventListener("click", act);
    return made;
  }

  function cell(...content: (Node | string)[]): HTMLTableCellElement {
    const made = document.createElement("td");
    made.append(...content);
    return made;
  }

  function badge(marking: string | null): HTMLElement {
    const made = document.createElement("span");
    made.className = marking ? `tlp tlp-${marking.toLowerCase().replace("+", "-")}` : "badge badge-outline";
    made.textContent = marking ? `TLP:${marking}` : word("Unmarked");
    return made;
  }

  /** What ties it to what is drawn: each by name, or where they are many, how many of each kind. */
  function ties(node: cytoscape.NodeSingular): string {
    const kinds = new Map<string, string[]>();
    node.connectedEdges(":visible").forEach((edge) => {
      const out = edge.data("source") === node.id();
      const other = find(String(edge.data(out ? "target" : "source")));
      const kind = `${out ? "→" : "←"} ${String(edge.data("label"))}`;
      kinds.set(kind, [...(kinds.get(kind) ?? []), String(other?.data("label") ?? "")]);
    });
    return [...kinds].map(([kind, names]) => `${kind} ${names.length > TIES_NAMED_MAX ? `(${names.length})` : names.join(", ")}`).join("; ");
  }

  function row(node: cytoscape.NodeSingular): HTMLTableRowElement {
    const data = node.data() as GraphNode & { pinned: boolean };
    const made = document.createElement("tr");
    made.dataset["id"] = data.id;
    const link = document.createElement("a");
    link.href = href.replace("{id}", encodeURIComponent(data.id));
    link.textContent = data.label;
    const first = cell(data.known === false ? data.label : link);
    if (!data.label.includes(" ") && data.label.length > 12) first.className = "cell-value";
    const actions = cell();
    actions.className = "cell-actions";
    const unfolded = next.has(data.id) && left(node) === 0;
    const open = button(unfolded ? word("Expanded") : word("Expand"), data.label, () => guard(element, unfold(data.id)));
    open.disabled = unfolded || data.known === false;
    actions.append(open, " ", button(data.pinned ? word("Unpin") : word("Pin"), data.label, () => pin(data.id), data.pinned));
    made.append(first, cell(typeName(data.type)), cell(badge(data.marking ?? null)), cell(ties(node)), actions);
    return made;
  }

  function fillTable(): void {
    if (table === null) return;
    // A person may be standing on a button of this table: whoever was there stays there.
    const held = document.activeElement instanceof HTMLElement && table.contains(document.activeElement) ? document.activeElement : undefined;
    const id = held?.closest("tr")?.dataset["id"];
    const at = held === undefined ? -1 : [...(held.closest("tr")?.querySelectorAll("a,button") ?? [])].indexOf(held);
    table.replaceChildren(...shown().map(row));
    if (id === undefined) return;
    const again = [...table.rows].find((one) => one.dataset["id"] === id)?.querySelectorAll<HTMLElement>("a,button:not(:disabled)");
    (again?.[Math.min(at, again.length - 1)] ?? element).focus();
  }

  function fillChips(): void {
    if (chips === null) return;
    const held = (document.activeElement as HTMLElement | null)?.dataset["chip"];
    const groups = (["type", "marking", "label"] as const).map((which) => {
      const counts = new Map<string, number>();
      cy.nodes().forEach((node) => new Set(facet(node, which)).forEach((value) => counts.set(value, (counts.get(value) ?? 0) + 1)));
      const group = document.createElement("span");
      group.className = "chip-group";
      const text = (value: string): string => (which === "type" ? typeName(value) : which === "marking" ? (value === "" ? word("Unmarked") : `TLP:${value}`) : value);
      for (const [value, count] of [...counts].sort(([a], [b]) => text(a).localeCompare(text(b)))) {
        const chip = document.createElement("button");
        chip.type = "button";
        chip.className = "chip";
        chip.dataset["chip"] = `${which}:${value}`;
        chip.setAttribute("aria-pressed", String(!hidden[which].has(value)));
        if (which === "type") {
          const dot = document.createElement("span");
          dot.className = `chip-dot chip-${groupOf(value)}`;
          chip.append(dot);
        }
        chip.append(text(value));
        const number = document.createElement("span");
        number.className = "chip-count";
        number.textContent = String(count);
        chip.append(number);
        chip.addEventListener("click", () => {
          if (!hidden[which].delete(value)) hidden[which].add(value);
          refresh();
          fit();
        });
        group.append(chip);
      }
      return group;
    });
    chips.replaceChildren(...groups.filter((group) => group.childElementCount > 1));
    if (held !== undefined) chips.querySelectorAll<HTMLElement>("[data-chip]").forEach((chip) => chip.dataset["chip"] === held && chip.focus());
  }

  function refresh(): void {
    filter();
    fillTable();
    fillChips();
    cy.style().update();
    element.dataset["nodes"] = String(shown().length);
  }

  // ---- taking away

  function picture(): void {
    const bg = colours(element, { bg: "--surface" }).bg;
    const blob = cy.png({ output: "blob", full: true, scale: 2, bg, maxWidth: 8_000, maxHeight: 8_000 }) as unknown as Blob;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "shieldwall-graph.png";
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  function ids(): string {
    const nodes = shown().map((node) => node.id());
    const ties = cy.edges(":visible");
    return [...new Set([...nodes, ...ties.map((edge) => String(edge.data("via") ?? ""))])].filter((id) => id !== "").slice(0, BUNDLE_MAX).join(" ");
  }

  // ---- hands

  cy.on("tap", "node", (event) => {
    element.focus({ preventScroll: true });
    guard(element, unfold(String(event.target.id())));
  });
  cy.on("mouseover", "node", (event) => {
    element.style.cursor = "pointer";
    choose(String(event.target.id()));
  });
  cy.on("mouseout", "node", () => (element.style.cursor = ""));
  cy.on("dragfree", "node", (event) => {
    if (!event.target.data("pinned")) pin(String(event.target.id()));
  });
  // The page scrolls under the pointer until somebody takes hold of the drawing.
  const hold = (on: boolean): void => void cy.userZoomingEnabled(on).userPanningEnabled(on);
  element.addEventListener("focus", () => hold(true));
  element.addEventListener("blur", () => hold(false));
  const keys: Record<string, () => void> = {
    ArrowRight: () => step(1, 0), ArrowLeft: () => step(-1, 0), ArrowUp: () => step(0, -1), ArrowDown: () => step(0, 1),
    Enter: () => guard(element, unfold(chosen)), " ": () => guard(element, unfold(chosen)),
    p: () => pin(chosen), o: () => location.assign(href.replace("{id}", encodeURIComponent(chosen))),
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": fit,
  };
  const zoom = (by: number): void => void cy.zoom({ level: cy.zoom() * by, renderedPosition: { x: element.clientWidth / 2, y: element.clientHeight / 2 } });
  element.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  const search = tools?.querySelector<HTMLInputElement>('[data-tool="search"]');
  search?.addEventListener("input", () => seek(search.value));
  search?.addEventListener("keydown", (event) => event.key === "Enter" && seek(search.value));
  const on = (tool: string, act: () => void): void => tools?.querySelector(`button[data-tool="${tool}"]`)?.addEventListener("click", act);
  on("in", () => zoom(1.25));
  on("out", () => zoom(0.8));
  on("fit", fit);
  on("png", picture);
  tools?.querySelector<HTMLFormElement>('form[data-tool="stix"]')?.addEventListener("submit", (event) => {
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem("ids");
    if (field instanceof HTMLInputElement) field.value = ids();
  });

  // ---- from the start

  const begin = async (): Promise<void> => {
    const data = await fetchJson<GraphData>(source.href);
    const added = take(data, focus);
    const spots = new Map<string, Spot>([[focus, { x: 0, y: 0 }]]);
    const others = added.filter((id) => id !== focus);
    seats({ x: 0, y: 0 }, others.length, undefined).forEach((spot, at) => void spots.set(others[at] ?? "", spot));
    cy.nodes().positions((node) => spots.get(node.id()) ?? { x: 0, y: 0 });
    refresh();
    arrange(spots, new Set());
    choose(focus);
  };
  const stopTheme = onTheme(() => cy.style(style()));
  const resize = new ResizeObserver(() => see());
  resize.observe(element);
  guard(element, begin());
  return () => {
    stopTheme();
    resize.disconnect();
    cy.destroy();
  };
}
