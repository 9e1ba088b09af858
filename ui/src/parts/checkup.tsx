// The check-up: all checks, what does not sync and why, conflict copies left by other sync tools,
// and the next writes. Runs only on request, because it reads every store.
import { useState } from "preact/hooks";
import type { CopyRow, Doctor, StepRow, TakenIn } from "../backend/types";
import { size } from "../lib/format";
import { link } from "../route";
import { useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Refused } from "./common";
import { Icon, type IconName } from "./icon";
import { Remedies } from "./remedies";

const SIGNS: Record<string, IconName> = { ok: "check", note: "info", problem: "alert" };

export function CheckUp() {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [doctor, setDoctor] = useState<Doctor | null>(null);
  const [plan, setPlan] = useState<StepRow[] | null>(null);
  const say = words.checkup;
  const check = async () => {
    const found = await act(() => backend.roam({ cmd: "doctor" }));
    if (found) setDoctor(found);
  };
  const look = async () => {
    const steps = await act(() => backend.roam({ cmd: "plan" }));
    if (steps) setPlan(steps);
  };
  return (
    <>
      <p class="dim">{say.intro}</p>
      <div class="row-of-buttons check-buttons">
        <Button icon="search" busy={busy} onClick={() => void check()}>
          {doctor ? say.again : say.check}
        </Button>
        <Button icon="sessions" busy={busy} onClick={() => void look()}>
          {say.plan}
        </Button>
      </div>
      {busy && (
        <p class="dim" role="status">
          {say.looking}
        </p>
      )}
      <Refused refusal={refusal} clear={clear} />
      {plan && <Plan steps={plan} />}
      {doctor && <Found doctor={doctor} again={() => void check()} />}
    </>
  );
}

function Found({ doctor, again }: { doctor: Doctor; again: () => void }) {
  const say = words.checkup;
  return (
    <div class="findings">
      <ul class="checks" aria-label={say.checks}>
        {doctor.checks.map((one) => (
          <li key={one.name} class={`check ${one.state}`}>
            <Icon name={SIGNS[one.state] ?? "info"} size={14} />
            <p dir="auto">
              <span class="visually-hidden">{say.states[one.state]}: </span>
              {one.message} {one.hint && <span class="dim">{one.hint}</span>}
            </p>
            <Remedies remedies={one.actions} about={one.message} />
          </li>
        ))}
      </ul>
      {doctor.copies.length > 0 && <Copies copies={doctor.copies} again={again} />}
      {doctor.left_out.length > 0 && (
        <details class="fold">
          <summary>
            <Icon name="right" size={12} />
            <span class="fold-name">{say.leftOut}</span>
          </summary>
          <ul class="lines">
            {doctor.left_out.slice(0, 100).map((one) => (
              <li key={one.path} class="line">
                <p class="line-text">
                  <code class="block" dir="ltr">
                    {one.path}
                  </code>
                  <span class="dim">{one.why}</span>
                </p>
              </li>
            ))}
          </ul>
        </details>
      )}
      {doctor.not_carried.length > 0 && (
        <details class="fold">
          <summary>
            <Icon name="right" size={12} />
            <span class="fold-name">{say.notCarried(doctor.not_carried.length)}</span>
          </summary>
          <ul class="lines">
            {doctor.not_carried.slice(0, 100).map((one) => (
              <li key={`${one.tool} ${one.session}`} class="line">
                <p class="line-text" dir="auto">
                  <a href={link("sessions", one.session)}>{one.title || words.session.untitled}</a>{" "}
                  <span class="dim">
                    {one.why} {one.hint}
                  </span>
                </p>
                <Remedies remedies={one.actions} about={one.title || one.why} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function Copies({ copies, again }: { copies: CopyRow[]; again: () => void }) {
  const { backend, tools } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [done, setDone] = useState<TakenIn | null>(null);
  const say = words.checkup;
  const takeIn = async () => {
    const taken = await act(() => backend.roam({ cmd: "take_in" }));
    if (!taken) return;
    setDone(taken);
    again();
  };
  return (
    <section class="copies" aria-label={say.copies(copies.length)}>
      <h3>{say.copies(copies.length)}</h3>
      <p class="dim">{say.copiesWhy}</p>
      <ul class="lines">
        {copies.slice(0, 50).map((copy) => (
          <li key={copy.path} class="line">
            <p class="line-text">
              {tools.get(copy.tool)?.name ?? copy.tool} · {copy.new > 0 ? say.newLines(copy.new) : say.nothingNew}
              {copy.open && ` · ${copy.open}`}
              <code class="block" dir="ltr">
                {copy.path}
              </code>
            </p>
          </li>
        ))}
      </ul>
      {done ? (
        <div role="status">
          <p>{say.taken(done.taken.length)}</p>
          {done.left.map((one) => (
            <p key={one.path} class="dim" dir="auto">
              {say.left(one.path, one.why)}
            </p>
          ))}
        </div>
      ) : (
        <div class="row-of-buttons">
          <Button icon="save" busy={busy} onClick={() => void takeIn()}>
            {say.takeIn}
          </Button>
        </div>
      )}
      <Refused refusal={refusal} clear={clear} />
    </section>
  );
}

function Plan({ steps }: { steps: StepRow[] }) {
  const say = words.checkup;
  return (
    <section aria-label={say.planTitle} class="plan">
      <h3>{say.planTitle}</h3>
      {steps.length === 0 && <p class="none">{say.planNone}</p>}
      <ul class="lines">
        {steps.slice(0, 100).map((step, at) => (
          <li key={at} class="line">
            <p class="line-text" dir="auto">
              <a href={link("sessions", step.session)}>{step.title || words.session.untitled}</a>{" "}
              <span class="dim">
                {say.steps[step.step] ?? step.step} · {step.what}
                {step.bytes > 0 ? ` · ${size(step.bytes)}` : ""}
              </span>
            </p>
          </li>
        ))}
      </ul>
      {steps.length > 100 && <p class="dim">{words.overview.more(steps.length - 100)}</p>}
    </section>
  );
}
