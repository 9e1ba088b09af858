// All keys of the window on one sheet. Opened with ?.
import { words } from "../words";
import { Dialog } from "./dialog";

export function Shortcuts({ close }: { close: () => void }) {
  const say = words.palette.sheet;
  return (
    <Dialog title={say.title} close={close} class="wide">
      <div class="shortcuts">
        {say.groups.map(([title, keys]) => (
          <section key={title} aria-label={title}>
            <h3>{title}</h3>
            <dl class="keys">
              {keys.map(([key, what]) => (
                <div key={key}>
                  <dt>
                    {key.split(" ").map((one) => (
                      <kbd key={one}>{one}</kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
