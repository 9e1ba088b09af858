// Keeps the keyboard's place. When the focused element is removed (a question was answered, a row
// went away), browsers put the focus at the start of the page; here it stays near.

const FOCUSABLE =
  'button:not([tabindex="-1"]), a[href], input:not([tabindex="-1"]), select, textarea, summary, [tabindex="0"]';

/** Follows the focus until the returned function is called. `home` has it if nothing near can. */
export function keepFocus(home: () => HTMLElement | null): () => void {
  let last: Element | null = null;
  let around: Element[] = [];
  const remember = (event: FocusEvent) => {
    last = event.target as Element;
    around = [];
    for (let one = last.parentElement; one; one = one.parentElement) around.push(one);
  };
  const look = () => {
    if (!last || last.isConnected || document.activeElement !== document.body) return;
    const stays = around.filter((one) => one.isConnected && !one.contains(home()));
    last = null;
    const next = stays.map((one) => one.querySelector<HTMLElement>(FOCUSABLE)).find((one) => one !== null);
    (next ?? home())?.focus({ preventScroll: next === undefined });
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, { childList: true, subtree: true });
  document.addEventListener("focusin", remember);
  return () => {
    observer.disconnect();
    document.removeEventListener("focusin", remember);
  };
}
