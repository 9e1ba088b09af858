// Something that did not work, in one calm line with what can be done about it.
import type { ComponentChildren } from "preact";
import type { Refusal } from "../backend/backend";
import { words } from "../words";
import { Button } from "./common";
import { Icon } from "./icon";
import { Remedies } from "./remedies";

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
      <Remedies remedies={refusal.actions.filter((one) => one.do !== "retry")} about={refusal.message} />
      {again && <Button onClick={again}>{words.split.retry}</Button>}
    </div>
  );
}
