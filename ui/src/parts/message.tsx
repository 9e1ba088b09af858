// One message: text as it was written, tool calls as one line, thinking, results and images folded.
import { useMemo } from "preact/hooks";
import type { Parts, Role } from "../backend/types";
import { size } from "../lib/format";
import { type Section, sections } from "../lib/turns";
import { words } from "../words";
import { Icon, type IconName } from "./icon";
import { Output, Rich } from "./rich";

export function Body({ role, text, parts }: { role: Role; text: string; parts: Parts | undefined }) {
  const found = useMemo(() => sections(role, text, parts), [role, text, parts]);
  return (
    <div class="body">
      {found.map((section, at) => (
        <OneSection key={at} section={section} />
      ))}
    </div>
  );
}

function OneSection({ section }: { section: Section }) {
  switch (section.kind) {
    case "text":
      return <Rich text={section.text} />;
    case "thinking":
      return (
        <Fold icon="thinking" name={words.transcript.thinking} note={firstLine(section.text)}>
          <Rich text={section.text} />
        </Fold>
      );
    case "result":
      return (
        <Fold icon="terminal" name={words.transcript.result} note={firstLine(section.text)} aside={size(section.bytes)}>
          <Output text={section.text} />
        </Fold>
      );
    case "call":
      return (
        <p class="call">
          <Icon name="tools" size={14} />
          <span class="call-name">{section.name}</span>
          {section.target && <code dir="ltr">{section.target}</code>}
        </p>
      );
    case "image":
      return (
        <Fold icon="image" name={words.transcript.image} note="" aside={section.bytes > 20 ? size(section.bytes) : ""}>
          <p class="dim">{words.transcript.imageWhy}</p>
        </Fold>
      );
  }
}

function Fold({
  icon,
  name,
  note,
  aside = "",
  children,
}: {
  icon: IconName;
  name: string;
  note: string;
  aside?: string;
  children: preact.ComponentChildren;
}) {
  return (
    <details class="fold">
      <summary>
        <Icon name="right" size={12} />
        <Icon name={icon} size={14} />
        <span class="fold-name">{name}</span>
        <span class="fold-note" dir="auto">
          {note}
        </span>
        {aside && <span class="fold-size">{aside}</span>}
      </summary>
      {children}
    </details>
  );
}

export function firstLine(text: string): string {
  return text.trimStart().split("\n", 1)[0]!.slice(0, 160);
}
