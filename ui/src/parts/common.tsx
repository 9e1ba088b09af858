// The small parts of every view: buttons, switches, and the states for empty, waiting and failed.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Refusal } from "../backend/backend";
import { ago, exact } from "../lib/format";
import { useNow } from "../state";
import { words } from "../words";
import { Icon, type IconName } from "./icon";
import { Remedies } from "./remedies";

interface ButtonProps {
  onClick: () => void;
  children: ComponentChildren;
  icon?: IconName;
  kind?: "plain" | "main" | "quiet" | "danger";
  busy?: boolean;
  /** Why the button cannot be pressed: stated in words, not only by a grey colour. */
  blocked?: string | undefined;
  name?: string;
  pressed?: boolean;
  expanded?: boolean;
}

export function Button({
  onClick,
  children,
  icon,
  kind = "plain",
  busy,
  blocked,
  name,
  pressed,
  expanded,
}: ButtonProps) {
  return (
    <button
      type="button"
      class={`button ${kind}`}
      aria-disabled={busy || blocked ? "true" : undefined}
      aria-label={name}
      aria-pressed={pressed}
      aria-expanded={expanded}
      title={blocked}
      onClick={() => !busy && !blocked && onClick()}
    >
      {icon && <Icon name={icon} size={14} />}
      {children}
    </button>
  );
}

/** Submits its form; gives the reason if it cannot. */
export function Submit({ children, blocked, busy }: { children: string; blocked?: string | undefined; busy: boolean }) {
  const id = useId();
  return (
    <>
      <button
        type="submit"
        class="button main"
        aria-disabled={blocked || busy ? "true" : undefined}
        aria-describedby={blocked ? id : undefined}
        title={blocked}
        onClick={(event) => (blocked || busy) && event.preventDefault()}
      >
        {children}
      </button>
      {blocked && (
        <span id={id} class="dim small">
          {blocked}
        </span>
      )}
    </>
  );
}

export function IconButton({
  icon,
  name,
  onClick,
  ...rest
}: {
  icon: IconName;
  name: string;
  onClick: (event: preact.TargetedMouseEvent<HTMLButtonElement>) => void;
  expanded?: boolean;
  class?: string;
}) {
  return (
    <button
      type="button"
      class={rest.class ? `icon-button ${rest.class}` : "icon-button"}
      aria-label={name}
      title={name}
      aria-expanded={rest.expanded}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

interface SwitchProps {
  on: boolean;
  onChange: (on: boolean) => void;
  name: string;
  words: [on: string, off: string];
  busy?: boolean;
}

/** On or off, in words beside the knob. */
export function Switch({ on, onChange, name, words: [whenOn, whenOff], busy }: SwitchProps) {
  return (
    <button
      type="button"
      class="switch"
      role="switch"
      aria-checked={on}
      aria-label={name}
      aria-busy={busy}
      onClick={() => !busy && onChange(!on)}
    >
      <span class="knob" aria-hidden="true" />
      <span class="switch-word" aria-hidden="true">
        <span class={on ? undefined : "unsaid"}>{whenOn}</span>
        <span class={on ? "unsaid" : undefined}>{whenOff}</span>
      </span>
    </button>
  );
}

export function Time({ at, prefix = "" }: { at: string | null; prefix?: string }) {
  const now = useNow();
  if (!at) return null;
  return (
    <time dateTime={at} title={exact(at)}>
      {prefix}
      {ago(at, now)}
    </time>
  );
}

export function Empty({
  icon,
  title,
  why,
  children,
}: {
  icon: IconName;
  title: string;
  why: string;
  children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <Icon name={icon} size={28} />
      <h2>{title}</h2>
      <p>{why}</p>
      {children && <div class="row-of-buttons">{children}</div>}
    </div>
  );
}

/** What failed, what to do, and a retry. Raw errors never stand alone. */
export function Failed({
  refusal,
  again,
  title = words.failed.load,
}: {
  refusal: Refusal;
  again?: () => void;
  title?: string;
}) {
  return (
    <div class="failed" role="alert">
      <Icon name="warning" size={20} />
      <div>
        <strong>{title}</strong>
        <p>{refusal.message}</p>
        {refusal.hint && <p class="dim">{refusal.hint}</p>}
        {again && (
          <div class="row-of-buttons">
            <Button onClick={again}>{words.failed.retry}</Button>
          </div>
        )}
        <Remedies
          remedies={refusal.actions.filter((one) => one.do !== "retry")}
          about={refusal.message}
          again={again}
        />
      </div>
    </div>
  );
}

/** An error beside the action that caused it. */
export function Refused({ refusal, clear }: { refusal: Refusal | null; clear?: () => void }) {
  if (!refusal) return null;
  return (
    <div class="refused" role="alert">
      <Icon name="alert" size={14} />
      <span>
        {refusal.message} {refusal.hint && <span class="dim">{refusal.hint}</span>}
      </span>
      <Remedies remedies={refusal.actions} about={refusal.message} />
      {clear && <IconButton icon="close" name={words.failed.dismiss} onClick={clear} />}
    </div>
  );
}

/** A record changed what the tool may do: visible without a search. */
export function SteeringMark({ text }: { text: string }) {
  return (
    <p class="steering-mark">
      <Icon name="settings" size={12} />
      <span dir="auto">{text}</span>
    </p>
  );
}

/** Rows of the expected height, with text for users who do not see them. */
export function Skeleton({
  rows,
  label = words.loading,
  tall = false,
}: {
  rows: number;
  label?: string;
  tall?: boolean;
}) {
  return (
    <div class={tall ? "skeleton tall" : "skeleton"} role="status">
      <p class="skeleton-words">{label}</p>
      {Array.from({ length: rows }, (_, at) => (
        <div key={at} class="skeleton-row" aria-hidden="true">
          <span class={`bone w${(at * 7) % 4}`} />
          <span class="bone short" />
        </div>
      ))}
    </div>
  );
}

export function Section({
  title,
  count,
  children,
  aside,
  led = 0,
}: {
  title: string;
  count?: number;
  children: ComponentChildren;
  aside?: ComponentChildren;
  /** Whenever this grows, a link led to this section. */
  led?: number;
}) {
  const id = useId();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (led === 0) return;
    heading.current?.scrollIntoView({ block: "start" });
    heading.current?.focus({ preventScroll: true });
  }, [led]);
  return (
    <section class="section" aria-labelledby={id}>
      <header class="section-head">
        <h2 id={id} ref={heading} tabIndex={led > 0 ? -1 : undefined}>
          {title}
          {count !== undefined && count > 0 && <span class="count">{count}</span>}
        </h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** A tool as a small sign of two letters; its name comes from the engine and is shown beside it or
 * in the hover text. */
export function ToolSign({ name }: { name: string }) {
  const letters = name
    .split(/[\s-]+/)
    .map((word) => word[0] ?? "")
    .join("")
    .slice(0, 2)
    .toUpperCase();
  return (
    <span class="tool-sign" title={name} role="img" aria-label={name}>
      {letters}
    </span>
  );
}

/** Focuses the first focusable element inside, once, when it appears, with the rest of it in view as far as it fits. */
export function FirstFocus({ children, ...rest }: { children: ComponentChildren; class?: string }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const first = box.current?.querySelector<HTMLElement>("input, button, a");
    first?.focus();
    box.current?.scrollIntoView({ block: "nearest" });
    if (first instanceof HTMLInputElement) first.select();
  }, []);
  return (
    <div ref={box} class={rest.class}>
      {children}
    </div>
  );
}

/** Copies a text and confirms it for a moment. */
export function CopyButton({
  text,
  children,
  copied,
  kind = "plain",
}: {
  text: string;
  children: string;
  copied: string;
  kind?: "plain" | "quiet";
}) {
  const [outcome, setOutcome] = useState<"copied" | "failed" | null>(null);
  const copy = async () => {
    setOutcome((await copyText(text)) ? "copied" : "failed");
    setTimeout(() => setOutcome(null), 2500);
  };
  return (
    <span class="copy">
      <Button icon={outcome === "copied" ? "check" : "copy"} kind={kind} onClick={() => void copy()}>
        {children}
      </Button>
      <span class="said" role="status">
        {outcome === null ? "" : outcome === "copied" ? copied : words.failed.copy}
      </span>
    </span>
  );
}

/** Whether the text is in the clipboard now. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Webviews that refuse a page the clipboard still copy a selection. What is outside of an open dialog has none.
    const before = document.activeElement as HTMLElement | null;
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "off-screen";
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    before?.focus({ preventScroll: true });
    return isCopied;
  }
}
