// A modal question: focus begins at its main action and stays inside, Escape closes it, focus
// returns to the previous element.
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { words } from "../words";
import { IconButton } from "./common";

/** Where the focus begins: at a field that asks for it, else at the main action, else at the first
 * control that destroys nothing. */
const BEGINNINGS = ["[data-first]", ".button.main", "input, select, textarea", ".button:not(.danger)"];

interface DialogProps {
  title: string;
  close: () => void;
  children: ComponentChildren;
  class?: string;
  /** The title is read out, not shown. */
  bare?: boolean;
}

export function Dialog({ title, close, children, bare = false, ...rest }: DialogProps) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const before = useRef(document.activeElement);
  const isBegun = useRef(false);
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    element?.focus();
    return () => {
      // All else on the page takes no focus while the dialog is open.
      element?.close();
      (before.current as HTMLElement | null)?.focus?.();
    };
  }, []);
  // What a dialog asks about may arrive later than the dialog. Until then nothing is chosen.
  useLayoutEffect(() => {
    if (isBegun.current || !body.current) return;
    const inside = body.current;
    const first = BEGINNINGS.map((one) => inside.querySelector<HTMLElement>(one)).find((one) => one !== null);
    if (!first) return;
    isBegun.current = true;
    if (document.activeElement === dialog.current) first.focus();
  });
  return (
    <dialog
      ref={dialog}
      class={rest.class ? `dialog ${rest.class}` : "dialog"}
      tabIndex={-1}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onClick={(event) => event.target === dialog.current && bare && close()}
    >
      <header class={bare ? "visually-hidden" : undefined}>
        <h2 id={id} dir="auto">
          {title}
        </h2>
        {!bare && <IconButton icon="close" name={words.close} onClick={close} />}
      </header>
      <div ref={body}>{children}</div>
    </dialog>
  );
}
