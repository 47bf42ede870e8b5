// The words of the live stream, and how an island hears them: `sw:<type>` events on <body>.
export const STREAM_EVENTS = ["warning", "object", "sighting", "sensor", "member", "recall"] as const;
const REFRESH_MS = 500;

/** Runs `refresh` at most every 500 ms when one of the named events (or a resync) arrives; returns how to stop. */
export function onLive(names: readonly string[], refresh: (event: Event) => void): () => void {
  let timer: number | undefined;
  const heard = (event: Event): void => {
    timer ??= window.setTimeout(() => {
      timer = undefined;
      refresh(event);
    }, REFRESH_MS);
  };
  const all = [...names, "resync"].map((name) => `sw:${name}`);
  for (const name of all) document.body.addEventListener(name, heard);
  return () => {
    window.clearTimeout(timer);
    for (const name of all) document.body.removeEventListener(name, heard);
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
