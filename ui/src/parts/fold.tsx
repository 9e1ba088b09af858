// A line that unfolds: its name, what it is about, and a remark at its end.
import { useContext, useEffect, useState } from "preact/hooks";
import { Icon, type IconName } from "./icon";
import { PlaceKey, Unfolded } from "./reading";

interface FoldProps {
  icon: IconName;
  name: string;
  note: string;
  /** The note is a file, whose name at the end stays in sight, or a command. */
  code?: "file" | "command" | undefined;
  aside?: preact.ComponentChildren;
  class?: string;
  /** Something in it was found: it is unfolded. */
  forced?: boolean;
  opened?: () => void;
  children: preact.ComponentChildren;
}

export function Fold({ icon, name, note, aside, code, forced = false, opened, children, ...rest }: FoldProps) {
  const unfolded = useContext(Unfolded);
  const key = `${useContext(PlaceKey)}/${icon}`;
  const [isOpen, setOpenNow] = useState(forced || unfolded?.has(key) === true);
  const setOpen = (isNow: boolean) => {
    setOpenNow(isNow);
    if (isNow) unfolded?.add(key);
    else unfolded?.delete(key);
  };
  useEffect(() => {
    if (isOpen) opened?.();
  }, []);
  useEffect(() => {
    if (!forced) return;
    setOpen(true);
    opened?.();
  }, [forced]);
  return (
    <details
      class={rest.class ? `fold ${rest.class}` : "fold"}
      open={isOpen}
      onToggle={(event) => {
        const isNow = event.currentTarget.open;
        if (isNow === isOpen) return;
        setOpen(isNow);
        if (isNow) opened?.();
      }}
    >
      <summary>
        <Icon name="right" size={12} />
        <Icon name={icon} size={14} />
        <span class="fold-name">{name}</span>
        {code ? (
          <code class={`fold-note of-${code}`} dir={code === "file" ? "rtl" : "ltr"}>
            <bdi dir="ltr">{note}</bdi>
          </code>
        ) : (
          <span class="fold-note" dir="auto">
            {note}
          </span>
        )}
        {aside}
      </summary>
      {isOpen && children}
    </details>
  );
}
