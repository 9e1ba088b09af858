// The choices for a split: each one shows what it leaves on each device before it is taken.
import { useRef, useState } from "preact/hooks";
import type { Refusal } from "../backend/backend";
import type { Action, Choice, DiffSide, Side } from "../backend/types";
import { afterwards, type Remaining } from "../lib/afterwards";
import { useKeys } from "../state";
import { words } from "../words";
import { Button, FirstFocus, Refused, SteeringMark } from "./common";
import { Icon } from "./icon";

export interface DecisionProps {
  /** Null while the choices are computed. */
  choices: Choice[] | null;
  /** Both sides, with each side's changes of what the tool may do, once these are known. */
  sides: DiffSide[];
  left: DiffSide;
  right: DiffSide;
  title: string;
  tool: string;
  /** Messages in common. */
  common: number;
  /** Nothing was written yet: each device has its own version only. */
  isOpen: boolean;
  /** Neither version is the session's own: the one that is not kept is put away. */
  isBeside: boolean;
  /** Devices with a version that is not compared here. */
  others: string[];
  now: string;
  busy: boolean;
  refusal: Refusal | null;
  take: (choice: Action, active: Side | null) => void;
}

export function Decision({ choices, sides, now, busy, refusal, take, ...what }: DecisionProps) {
  const [left, right] = [what.left.device, what.right.device];
  const [considered, setConsidered] = useState<Action | null>(null);
  const [active, setActive] = useState<Side>("right");
  const buttons = useRef<HTMLDivElement>(null);
  const say = words.split;
  const choice = choices?.find((one) => one.id === considered);
  const nameOf = (table: typeof say.choices, id: Action) => table[id]?.(left, right) ?? id;
  const leave = () => {
    setConsidered(null);
    buttons.current?.querySelector<HTMLElement>(`[data-choice="${considered}"]`)?.focus();
  };
  useKeys({ Escape: () => considered && leave() });
  return (
    // Until its buttons are there, a keyboard reaches what scrolls by the footer itself.
    <footer class="decision" tabIndex={choices === null ? 0 : -1}>
      {choice ? (
        // Enter and Escape work wherever the focus is inside.
        <div
          class="considered"
          role="group"
          aria-label={nameOf(say.choices, choice.id)}
          onKeyDown={(event) => {
            if (event.key === "Escape") {
              event.stopPropagation();
              leave();
            }
          }}
        >
          <h2>{say.follows}</h2>
          {(!choice.enabled || what.isBeside || JOINS.includes(choice.id)) && (
            <p class="consequence-text" dir="auto">
              {choice.consequence}
            </p>
          )}
          {choice.enabled && !what.isBeside && <Preview choice={choice.id} active={active} {...what} />}
          {choice.enabled && choice.id === "branches" && (
            <fieldset class="active-side">
              <legend>{say.active}</legend>
              {(["left", "right"] as const).map((side) => (
                <label key={side}>
                  <input type="radio" name="active" checked={active === side} onChange={() => setActive(side)} />{" "}
                  <span dir="auto">{side === "left" ? left : right}</span>
                </label>
              ))}
            </fieldset>
          )}
          <Refused refusal={refusal} />
          <FirstFocus class="row-of-buttons" key={choice.id}>
            {choice.enabled && (
              <Button kind="main" busy={busy} onClick={() => take(choice.id, choice.id === "branches" ? active : null)}>
                {nameOf(what.isBeside ? say.choices : say.confirm, choice.id)}
              </Button>
            )}
            <Button onClick={leave}>{say.cancel}</Button>
          </FirstFocus>
        </div>
      ) : (
        <>
          {sides.map((side) => (
            <Changes key={side.branch} side={side} />
          ))}
          <div class="now-line">
            <p class="now" dir="auto">
              {now}
            </p>
            <p class="key-hints" aria-hidden="true">
              {say.hints.map(([key, what]) => (
                <span key={key}>
                  <kbd>{key}</kbd> {what}
                </span>
              ))}
            </p>
          </div>
          <Refused refusal={refusal} />
        </>
      )}
      <div class="row-of-buttons choices" ref={buttons}>
        {choices === null && (
          <p class="dim" role="status">
            {say.workingOut}
          </p>
        )}
        {choices?.map((one) => (
          <button
            key={one.id}
            type="button"
            data-choice={one.id}
            class={considered === one.id ? "button chosen" : "button"}
            aria-expanded={considered === one.id}
            title={one.consequence}
            onClick={() => setConsidered(considered === one.id ? null : one.id)}
          >
            {!one.enabled && <Icon name="info" size={14} />}
            <span dir="auto">{nameOf(say.choices, one.id)}</span>
            {!one.enabled && <span class="visually-hidden">: {one.consequence}</span>}
          </button>
        ))}
      </div>
    </footer>
  );
}

/** Decisions whose preview does not say all: what a model makes of both versions. */
const JOINS: Action[] = ["stitch", "branches"];

type What = Omit<DecisionProps, "choices" | "sides" | "now" | "busy" | "refusal" | "take">;

/** What each device's tool has afterwards, and what only the vault has. */
function Preview({ choice, active, ...what }: { choice: Action; active: Side } & What) {
  const { left, right, title, tool, common, isOpen, others } = what;
  const say = words.split.after;
  const { tool: remaining, vault } = afterwards(choice, active);
  const named = (versions: Side[]) =>
    versions.map((side) => say.version(what[side].device, what[side].turns, what[side].messages));
  const session = (one: Remaining) => (
    <li key={one.is} dir="auto">
      <span class="strong">{one.is === "session" ? say.titled(title) : say.fork(title, right.device)}</span>
      {": "}
      {say.holds(common, named(one.versions))}
    </li>
  );
  const device = (name: string, own: Side | null) => {
    // Where nothing was written yet, the device whose version stays has it already.
    const isSame = own !== null && remaining.length === 1 && remaining[0]!.versions.join() === own;
    return (
      <div key={name}>
        <dt dir="auto">{name}</dt>
        <dd>{isSame ? <p>{say.asItIs(title)}</p> : <ul>{remaining.map(session)}</ul>}</dd>
      </div>
    );
  };
  return (
    <dl class="preview" aria-label={say.label(tool)}>
      {isOpen
        ? [device(say.inTool(tool, [left.device]), "left"), device(say.inTool(tool, [right.device]), "right")]
        : device(say.inTool(tool, [left.device, right.device]), null)}
      {vault.map((side) => (
        <div key={side}>
          <dt>{say.vault}</dt>
          <dd dir="auto">
            <p>{say.kept(say.version(what[side].device, what[side].turns, what[side].messages))}</p>
          </dd>
        </div>
      ))}
      {others.length > 0 && (
        <div>
          <dt>{say.others}</dt>
          <dd dir="auto">
            <p>{say.untouched(others)}</p>
          </dd>
        </div>
      )}
    </dl>
  );
}

/** More changes would hide the decision. */
const MOST = 3;

/** One side's changes of what the tool may do: shown before a side is kept. */
function Changes({ side }: { side: DiffSide }) {
  const say = words.split;
  const shown = side.changes.slice(0, MOST);
  const marks = shown.map((one) => say.changed(side.device, one.device, one.text));
  if (shown.length < side.n_changes) marks.push(say.moreChanges(side.device, side.n_changes - shown.length));
  return (
    <>
      {marks.map((mark) => (
        <SteeringMark key={mark} text={mark} />
      ))}
    </>
  );
}
