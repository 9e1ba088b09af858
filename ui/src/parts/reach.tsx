// How devices find and reach each other, chosen in words; the single switches are below them.
import { useState } from "preact/hooks";
import type { Network } from "../backend/types";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";
import { Failed, Refused, Skeleton, Switch } from "./common";
import { Icon } from "./icon";

const REACHES = {
  local: { local_discovery: true, global_discovery: false, relays: false },
  anywhere: { local_discovery: true, global_discovery: true, relays: true },
} as const satisfies Record<string, Network>;
type Reach = keyof typeof REACHES;
const SWITCHES = ["local_discovery", "global_discovery", "relays"] as const;

function reachOf(network: Network): Reach | "custom" {
  const is = (reach: Reach) => SWITCHES.every((name) => network[name] === REACHES[reach][name]);
  return is("local") ? "local" : is("anywhere") ? "anywhere" : "custom";
}

export function ReachChoice({ details = false }: { details?: boolean }) {
  const { backend, revision, tell } = useShared();
  const asked = useAnswer({ cmd: "network" }, revision);
  const { busy, refusal, act, clear } = useDoing();
  // A choice shows at once; the answer may take longer.
  const [wanted, setWanted] = useState<Network | null>(null);
  const say = words.settings.reach;
  if (asked.phase === "failed" && !asked.answer) return <Failed refusal={asked.refusal} again={asked.again} />;
  if (!asked.answer) return <Skeleton rows={2} label={words.loading} tall />;
  const network = wanted ?? asked.answer;
  const now = reachOf(network);
  const set = async (next: Network) => {
    setWanted(next);
    const done = await act(() => backend.roam({ cmd: "network_set", network: next }));
    if (!done) setWanted(null);
    else if (details) tell(say.changed);
    asked.again();
  };
  const shown = (["local", "anywhere", "custom"] as const).filter((one) => one !== "custom" || now === "custom");
  return (
    <>
      <fieldset class="reach" aria-busy={busy}>
        <legend class="visually-hidden">{say.legend}</legend>
        {shown.map((one) => (
          <label key={one} class="reach-option">
            <input
              type="radio"
              name="reach"
              id={`reach-${one}`}
              checked={one === now}
              onChange={() => one !== "custom" && !busy && void set(REACHES[one])}
            />
            <span>
              <span class="strong">{say.options[one][0]}</span>
              <span class="dim block">{say.options[one][1]}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {details && (
        <details class="fold" open={now === "custom"}>
          <summary>
            <Icon name="right" size={12} />
            {say.details}
          </summary>
          <ul class="settings-list">
            {SWITCHES.map((name) => (
              <li class="setting" key={name}>
                <div>
                  <h3>{say.switches[name][0]}</h3>
                  <p class="dim">{say.switches[name][1]}</p>
                </div>
                <Switch
                  on={network[name]}
                  busy={busy}
                  name={say.switches[name][0]}
                  words={[words.settings.on, words.settings.off]}
                  onChange={(on) => void set({ ...network, [name]: on })}
                />
              </li>
            ))}
          </ul>
        </details>
      )}
      <Refused refusal={refusal} clear={clear} />
    </>
  );
}
