// Something that did not work, in one calm line with the button that tries it again.
import type { ComponentChildren } from "preact";
import type { Refusal } from "../backend/backend";
import { words } from "../words";
import { Button } from "./common";
import { Icon } from "./icon";

export function Trouble({
  refusal,
  title,
  again,
  children,
}: {
  refusal: Refusal;
  title?: string;
  again?: () => void;
  children?: ComponentChildren;
}) {
  return (
    <div class="trouble" role="alert">
      <Icon name="alert" size={16} />
      <p dir="auto">
        {title && <span class="strong">{title}</span>} {refusal.message}{" "}
        {refusal.hint && <span class="dim">{refusal.hint}</span>}
      </p>
      {children}
      {again && <Button onClick={again}>{words.split.retry}</Button>}
    </div>
  );
}
