// A modal question: focus stays inside, Escape closes it, focus returns to the previous element.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { words } from "../words";
import { IconButton } from "./common";

export function Dialog({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const before = useRef(document.activeElement);
  useEffect(() => {
    dialog.current?.showModal();
    return () => (before.current as HTMLElement | null)?.focus?.();
  }, []);
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <header>
        <h2 id={id} dir="auto">
          {title}
        </h2>
        <IconButton icon="close" name={words.close} onClick={close} />
      </header>
      {children}
    </dialog>
  );
}
