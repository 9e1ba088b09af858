// A menu at a place: opened by a button or the context menu, driven by the keyboard, closed by
// leaving it.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "./icon";

export interface MenuItem {
  icon: IconName;
  name: string;
  act: () => void;
}

interface MenuProps {
  label: string;
  items: MenuItem[];
  /** In the window; the menu stays inside its box. */
  x: number;
  y: number;
  close: () => void;
}

export function Menu({ label, items, x, y, close }: MenuProps) {
  const box = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ left: 0, top: 0 });
  const before = useRef(document.activeElement);
  const leave = () => {
    if (before.current instanceof HTMLElement) before.current.focus({ preventScroll: true });
    close();
  };
  useLayoutEffect(() => {
    const menu = box.current!;
    const around = menu.offsetParent?.getBoundingClientRect();
    if (!around) return;
    const left = Math.max(4, Math.min(x - around.left, around.width - menu.offsetWidth - 4));
    const top = Math.max(4, Math.min(y - around.top, around.height - menu.offsetHeight - 4));
    setPlace({ left, top });
    menu.querySelector("button")?.focus();
  }, [x, y]);
  useEffect(() => {
    const outside = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) close();
    };
    addEventListener("pointerdown", outside, true);
    addEventListener("resize", close);
    return () => {
      removeEventListener("pointerdown", outside, true);
      removeEventListener("resize", close);
    };
  }, []);
  const onKey = (event: KeyboardEvent) => {
    const buttons = [...box.current!.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 };
    const next = to[event.key];
    if (next !== undefined) buttons[(next + buttons.length) % buttons.length]?.focus();
    else if (event.key === "Escape" || event.key === "Tab") leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      ref={box}
      class="menu"
      role="menu"
      aria-label={label}
      style={{ left: `${place.left}px`, top: `${place.top}px` }}
      onKeyDown={onKey}
    >
      {items.map((item) => (
        <button
          key={item.name}
          type="button"
          role="menuitem"
          tabIndex={-1}
          onClick={() => {
            leave();
            item.act();
          }}
        >
          <Icon name={item.icon} size={14} />
          {item.name}
        </button>
      ))}
    </div>
  );
}
