// The words of the live stream, and how a page hears them on <body>: `sw:<type>` for each event, and `sw:refresh-<type>`
// when a view of that type should be fetched again: at once, then at most every 500 ms, and always after the last one.
export const STREAM_EVENTS = ["warning", "object", "sighting", "sensor", "member", "recall", "acknowledged"] as const;
const REFRESH_MS = 500;

/** Calls `work` at once, and while more calls come at most every 500 ms; the last call is never lost. */
export function coalesce(work: () => void): () => void {
  let waiting = false;
  let again = false;
  const run = (): void => {
    waiting = true;
    again = false;
    work();
    window.setTimeout(() => {
      waiting = false;
      if (again) run();
    }, REFRESH_MS);
  };
  return () => (waiting ? void (again = true) : run());
}

/** Runs `refresh` when a view of one of the named types should be fetched again; returns how to stop. */
export function onLive(names: readonly (typeof STREAM_EVENTS)[number][], refresh: () => void): () => void {
  const heard = coalesce(refresh); // a sighting and its warning arrive together and cost one fetch or two, not more
  const types = names.map((name) => `sw:refresh-${name}`);
  for (const type of types) document.body.addEventListener(type, heard);
  return () => {
    for (const type of types) document.body.removeEventListener(type, heard);
  };
}

/** Fetches JSON with the session's cookie; a failed answer is an error that names the address and status. */
export async function fetchJson<T>(src: string): Promise<T> {
  const answer = await fetch(src, { credentials: "same-origin", headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`${src} answered ${answer.status}`);
  return (await answer.json()) as T;
}

/** Marks an island whose data could not be had, so the stylesheet can say so; the table beside it still stands. */
export function guard(element: HTMLElement, work: Promise<void>): void {
  work.then(
    () => delete element.dataset["failed"],
    (error: unknown) => {
      element.dataset["failed"] = "";
      console.error("island", element.dataset["island"], error);
    },
  );
}

/** Runs `change` when the theme changes, by the toggle or by the system. */
export function onTheme(change: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  document.documentElement.addEventListener("sw:theme", change);
  system.addEventListener("change", change);
  return () => {
    document.documentElement.removeEventListener("sw:theme", change);
    system.removeEventListener("change", change);
  };
}

/** Resolves CSS custom properties to colours a canvas understands (`light-dark()` only resolves in a real property). */
export function colours<K extends string>(element: HTMLElement, names: Record<K, string>): Record<K, string> {
  const probe = document.createElement("span");
  probe.hidden = true;
  element.append(probe);
  const out = {} as Record<K, string>;
  for (const key of Object.keys(names) as K[]) {
    probe.style.color = `var(${names[key]})`;
    out[key] = getComputedStyle(probe).color;
  }
  probe.remove();
  return out;
}
