// Small page manners that need no library: dialogs, copying a value, dismissing, toasts, closing an open menu.
const TOAST_MS = 6_000;

function toast(text: string, tone: string): void {
  const area = document.querySelector<HTMLElement>("[data-toasts]");
  if (area === null || text === "") return;
  const note = document.createElement("p");
  note.className = `toast toast-${/^[a-z]+$/.test(tone) ? tone : "info"}`;
  note.textContent = text;
  area.append(note);
  window.setTimeout(() => note.remove(), TOAST_MS);
}

async function copy(button: HTMLElement): Promise<void> {
  const from = document.getElementById(button.dataset["copy"] ?? "");
  const text = button.dataset["copyText"] ?? from?.textContent?.trim() ?? "";
  await navigator.clipboard.writeText(text);
  toast(button.dataset["labelDone"] ?? "Copied", "good");
}

function dialogOf(id: string | undefined): HTMLDialogElement | undefined {
  const found = id === undefined ? null : document.getElementById(id);
  return found instanceof HTMLDialogElement ? found : undefined;
}

export function actions(): void {
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const button = event.target.closest<HTMLElement>("[data-dialog-open],[data-dialog-close],[data-copy],[data-copy-text],[data-dismiss]");
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    if (button === null) return;
    if (button.dataset["dialogOpen"] !== undefined) dialogOf(button.dataset["dialogOpen"])?.showModal();
    else if (button.dataset["dialogClose"] !== undefined) button.closest("dialog")?.close();
    else if (button.dataset["dismiss"] !== undefined) button.closest("[data-dismissible]")?.remove();
    else copy(button).catch((error: unknown) => console.error("copy", error));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
  // From the server: `HX-Trigger: {"sw:toast": {"text": "...", "tone": "good"}}`.
  document.body.addEventListener("sw:toast", (event) => {
    const { text, tone } = (event as CustomEvent<{ text?: string; tone?: string }>).detail;
    toast(text ?? "", tone ?? "info");
  });
}
