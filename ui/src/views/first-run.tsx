// The first three steps: the tools that were found, the reach, the other device. Each can be
// skipped, and all of them at once.
import { useEffect, useRef, useState } from "preact/hooks";
import { listed, size } from "../lib/format";
import { Button, Failed, Refused, Skeleton, ToolSign } from "../parts/common";
import { Icon } from "../parts/icon";
import { AskingQuestion, PairPath, Pending } from "../parts/pairing";
import { Autostart } from "../parts/preferences";
import { ReachChoice } from "../parts/reach";
import { useAnswer, useDoing, useNow, useShared } from "../state";
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
        {!isLast && (
          <Button kind="quiet" busy={busy} onClick={() => void finish()}>
            {say.skipAll}
          </Button>
        )}
        <span class="spring" />
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
  const { backend, revision } = useShared();
  const asked = useAnswer({ cmd: "tools" }, revision);
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
  const on = found.filter((row) => ticked[row.tool] ?? row.on);
  const sum = (of: (row: (typeof on)[number]) => number) => on.reduce((all, row) => all + of(row), 0);
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
      {found.length > 0 && (
        <p class="strong" role="status">
          {say.willSync(
            on.length,
            sum((row) => row.sessions),
            sum((row) => row.bytes),
          )}
        </p>
      )}
      <Refused refusal={refusal} clear={clear} />
    </>
  );
}

function Goes() {
  const asked = useAnswer({ cmd: "about" });
  const say = words.first;
  return (
    <>
      <p class="large">{say.goes}</p>
      <p class="dim">{say.goesMore}</p>
      <h2>{say.reach}</h2>
      <ReachChoice />
      <p class="dim">{say.reachLater}</p>
      {asked.answer && (
        <ul class="settings-list">
          <Autostart about={asked.answer} changed={asked.again} />
        </ul>
      )}
    </>
  );
}

function Pair() {
  const { revision } = useShared();
  const now = useNow();
  const asked = useAnswer({ cmd: "devices" }, revision * 1e9 + (Math.floor(now / 5000) % 1e9));
  const { answer } = asked;
  const paired = answer?.paired.filter((one) => one.state === "paired") ?? [];
  return (
    <>
      {asked.phase === "failed" && !answer && <Failed refusal={asked.refusal} again={asked.again} />}
      {paired.length > 0 && (
        <p class="notice" role="status">
          <Icon name="done" /> {words.first.finishPaired(listed(paired.map((one) => one.name)))}
        </p>
      )}
      {answer && (
        <ul class="asking-list">
          <Pending devices={answer.paired} changed={asked.again} />
          {answer.asking.map((one) => (
            <AskingQuestion key={one.id} device={one} done={asked.again} />
          ))}
        </ul>
      )}
      <PairPath answer={answer} changed={asked.again} />
    </>
  );
}
