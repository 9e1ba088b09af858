// The first three steps: the tools that were found, the folders, the other device. Each can be
// skipped.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Pairing } from "../backend/types";
import { size } from "../lib/format";
import { Button, Failed, Refused, Skeleton, ToolSign } from "../parts/common";
import { Icon } from "../parts/icon";
import { OtherCode, OwnCode } from "../parts/pairing";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";

export function FirstRun({ done }: { done: () => void }) {
  const { backend } = useShared();
  const [step, setStep] = useState(0);
  const { busy, refusal, act } = useDoing();
  const head = useRef<HTMLHeadingElement>(null);
  const say = words.first;
  useEffect(() => head.current?.focus({ preventScroll: true }), [step]);
  const finish = async () => {
    await act(() => backend.roam({ cmd: "first_run_done" }));
    done();
  };
  const isLast = step === say.steps.length - 1;
  return (
    <div class="first-run">
      <header>
        <p class="dim">{say.title}</p>
        <ol class="steps" aria-label={say.step(step + 1)}>
          {say.steps.map((title, at) => (
            <li key={title} aria-current={at === step ? "step" : undefined} class={at < step ? "past" : undefined}>
              <span class="step-n" aria-hidden="true">
                {at < step ? <Icon name="check" size={12} /> : at + 1}
              </span>
              {title}
            </li>
          ))}
        </ol>
      </header>
      <div class="first-step">
        <h1 ref={head} tabIndex={-1}>
          {say.steps[step]}
        </h1>
        {step === 0 && <Found />}
        {step === 1 && <Goes />}
        {step === 2 && <Pair />}
      </div>
      <Refused refusal={refusal} />
      <footer class="row-of-buttons">
        {step > 0 && (
          <Button kind="quiet" icon="back" onClick={() => setStep(step - 1)}>
            {say.back}
          </Button>
        )}
        <span class="spring" />
        {!isLast && (
          <Button kind="quiet" busy={busy} onClick={() => void finish()}>
            {say.skip}
          </Button>
        )}
        {isLast ? (
          <Button kind="main" busy={busy} onClick={() => void finish()}>
            {say.finish}
          </Button>
        ) : (
          <Button kind="main" onClick={() => setStep(step + 1)}>
            {say.next}
          </Button>
        )}
      </footer>
    </div>
  );
}

function Found() {
  const { backend } = useShared();
  const asked = useAnswer({ cmd: "tools" });
  const { refusal, act, clear } = useDoing();
  const say = words.first;
  const found = asked.answer?.filter((row) => row.found) ?? [];
  // A tick shows at once; the answer may take longer.
  const [ticked, setTicked] = useState<Record<string, boolean>>({});
  const turn = async (tool: string, on: boolean) => {
    setTicked((before) => ({ ...before, [tool]: on }));
    const done = await act(() => backend.roam({ cmd: "tool_switch", tool, on }));
    if (!done) setTicked((before) => ({ ...before, [tool]: !on }));
    asked.again();
  };
  if (asked.phase === "failed" && !asked.answer) return <Failed refusal={asked.refusal} again={asked.again} />;
  if (!asked.answer) return <Skeleton rows={3} label={words.tools.loading} tall />;
  return (
    <>
      <p>{found.length > 0 ? say.found : say.foundNone}</p>
      <ul class="ticks">
        {found.map((row) => (
          <li key={row.tool}>
            <label>
              <input
                type="checkbox"
                checked={ticked[row.tool] ?? row.on}
                onChange={(event) => void turn(row.tool, event.currentTarget.checked)}
              />
              <ToolSign name={row.name} />
              <span class="strong" dir="auto">
                {row.name}
              </span>
              <span class="dim">
                {words.tools.sessions(row.sessions)} · {size(row.bytes)}
              </span>
            </label>
          </li>
        ))}
      </ul>
      <Refused refusal={refusal} clear={clear} />
    </>
  );
}

function Goes() {
  const asked = useAnswer({ cmd: "about" });
  return (
    <>
      <p class="large">{words.first.goes}</p>
      <p>{words.first.goesMore}</p>
      <p class="dim">
        {words.first.vault}: <code dir="ltr">{asked.answer?.home ?? " "}</code>
      </p>
    </>
  );
}

function Pair() {
  const [sent, setSent] = useState<Pairing | null>(null);
  return (
    <div class="two-columns">
      <OwnCode />
      <div>
        <OtherCode asked={setSent} />
        {sent && (
          <p class="notice" role="status">
            <span>
              {sent.state === "comparing"
                ? `${words.devices.begun(sent.name)} ${words.devices.comparingWait(sent.name)}`
                : `${words.devices.asked(sent.name)} ${words.devices.askedWhy}`}
            </span>
          </p>
        )}
      </div>
    </div>
  );
}
