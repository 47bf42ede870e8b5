// The live stream: one EventSource for the page. Each server-sent event becomes a DOM event `sw:<type>` on <body>, which
// a burst of them one `sw:refresh-<type>` or two, which htmx fragments and the other islands listen to; new warnings are
// announced to screen readers.
import { coalesce, STREAM_EVENTS } from "./events";

const RETRY_FIRST_MS = 2_000;
const RETRY_MAX_MS = 60_000;
const ANNOUNCE_MS = 1_500;

type State = "connecting" | "open" | "closed";

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

export function live(element: HTMLElement): () => void {
  const src = element.dataset["src"] ?? "/api/v1/stream";
  let source: EventSource | undefined;
  let retry: number | undefined;
  let wait = RETRY_FIRST_MS;
  let lost = false;

  const show = (state: State): void => {
    for (const place of document.querySelectorAll<HTMLElement>("[data-live-state]")) {
      place.dataset["liveState"] = state;
      const label = place.dataset[`label${state[0]?.toUpperCase()}${state.slice(1)}`];
      if (label !== undefined) (place.querySelector("[data-live-text]") ?? place).textContent = label;
    }
  };

  // A burst is said once ("3 new warnings"), not read out line by line.
  let unsaid: string[] = [];
  let saying: number | undefined;
  const announce = (detail: unknown): void => {
    const place = document.querySelector<HTMLElement>("[data-live-announce]");
    if (place === null) return;
    const fields = typeof detail === "object" && detail !== null ? (detail as Record<string, unknown>) : {};
    const title = [fields["title"], fields["summary"], fields["name"]].find((t) => typeof t === "string");
    unsaid.push(typeof title === "string" ? title : "");
    saying ??= window.setTimeout(() => {
      const one = place.dataset["labelOne"] ?? "New warning: {title}";
      const many = place.dataset["labelMany"] ?? "{count} new warnings";
      place.textContent =
        unsaid.length === 1 ? one.replace("{title}", () => unsaid[0] ?? "") : many.replace("{count}", String(unsaid.length));
      unsaid = [];
      saying = undefined;
    }, ANNOUNCE_MS);
  };

  const tell = (type: string, detail?: unknown): void => void document.body.dispatchEvent(new CustomEvent(type, { detail }));
  const refresh = new Map(STREAM_EVENTS.map((type) => [type, coalesce(() => tell(`sw:refresh-${type}`))]));

  const connect = (): void => {
    show("connecting");
    source = new EventSource(src, { withCredentials: true });
    source.addEventListener("open", () => {
      show("open");
      wait = RETRY_FIRST_MS;
      // A fresh connection has no Last-Event-ID: what was missed is fetched, not replayed.
      if (lost) {
        tell("sw:resync");
        for (const again of refresh.values()) again();
      }
      lost = false;
    });
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED) {
        show("connecting"); // the browser reconnects by itself with Last-Event-ID
        return;
      }
      show("closed"); // refused (signed out, shed, a proxy's error page): try anew, ever more slowly
      lost = true;
      window.clearTimeout(retry);
      retry = window.setTimeout(connect, wait);
      wait = Math.min(wait * 2, RETRY_MAX_MS);
    });
    for (const type of STREAM_EVENTS) {
      source.addEventListener(type, (event) => {
        const detail = parse(event.data);
        tell(`sw:${type}`, detail);
        refresh.get(type)?.();
        if (type === "warning") announce(detail);
      });
    }
  };

  const leave = (): void => {
    source?.close();
    window.clearTimeout(retry);
    lost = true;
  };
  const back = (event: PageTransitionEvent): void => {
    if (event.persisted) connect(); // restored by the back button: the old connection is gone
  };
  addEventListener("pagehide", leave);
  addEventListener("pageshow", back);
  connect();
  return () => {
    removeEventListener("pagehide", leave);
    removeEventListener("pageshow", back);
    window.clearTimeout(saying);
    leave();
  };
}
