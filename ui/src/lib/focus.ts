// Keeps the keyboard's place. When the focused element is removed (a question was answered, a row
// went away), browsers put the focus at the start of the page; here it goes back to where it came
// from, or stays near.

const FOCUSABLE =
  'button:not([tabindex="-1"]), a[href], input:not([tabindex="-1"]), select, textarea, summary, [tabindex="0"]';
/** So many earlier places are remembered: a field, the button that opened it, the row before. */
const MEMORY = 4;

/** What an element is to the user: a button that was drawn anew is the same button. */
function sign(element: Element): string {
  return `${element.tagName} ${element.getAttribute("aria-label") ?? element.textContent}`;
}

/** Follows the focus until the returned function is called. `home` has it if nothing near can. */
export function keepFocus(home: () => HTMLElement | null): () => void {
  let last: Element | null = null;
  let around: Element[] = [];
  let signs: string[] = [];
  const remember = (event: FocusEvent) => {
    last = event.target as Element;
    around = [];
    for (let one = last.parentElement; one; one = one.parentElement) around.push(one);
    signs = [sign(last), ...signs].slice(0, MEMORY);
  };
  const look = () => {
    if (!last || last.isConnected || document.activeElement !== document.body) return;
    const stays = around.filter((one) => one.isConnected && !one.contains(home()));
    last = null;
    const near = stays.flatMap((one) => [...one.querySelectorAll<HTMLElement>(FOCUSABLE)]);
    const next = signs.map((known) => near.find((one) => sign(one) === known)).find((one) => one !== undefined);
    (next ?? near[0] ?? home())?.focus({ preventScroll: near.length === 0 });
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, { childList: true, subtree: true });
  document.addEventListener("focusin", remember);
  return () => {
    observer.disconnect();
    document.removeEventListener("focusin", remember);
  };
}
