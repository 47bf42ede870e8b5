// Entry of every page: mounts the islands found in the document and in whatever htmx swaps in. Heavy ones are loaded
// only where a page has one.
import { actions } from "./islands/actions";
import { live } from "./islands/live";

type Mount = (element: HTMLElement) => void | (() => void);

const islands: Record<string, () => Promise<Mount>> = {
  live: async () => live,
  map: async () => (await import("./islands/map")).map,
  explorer: async () => (await import("./islands/explorer")).explorer,
  graph: async () => (await import("./islands/graph")).graph,
  chart: async () => (await import("./islands/chart")).chart,
};

const mounted = new Map<HTMLElement, (() => void) | undefined>();

async function mount(element: HTMLElement): Promise<void> {
  const load = islands[element.dataset["island"] ?? ""];
  if (load === undefined || mounted.has(element)) return;
  mounted.set(element, undefined);
  try {
    const unmount = (await load())(element);
    if (unmount !== undefined) mounted.set(element, unmount);
    element.dataset["ready"] = "";
  } catch (error) {
    element.dataset["failed"] = "";
    console.error("island", element.dataset["island"], error);
  }
}

function scan(root: ParentNode): void {
  for (const [element, unmount] of mounted) {
    if (element.isConnected) continue;
    unmount?.();
    mounted.delete(element);
  }
  if (root instanceof HTMLElement && root.dataset["island"] !== undefined) void mount(root);
  for (const element of root.querySelectorAll<HTMLElement>("[data-island]")) void mount(element);
}

actions();
document.addEventListener("htmx:load", (event) => {
  if (event.target instanceof HTMLElement) scan(event.target);
});
scan(document);
