// Six digits in two groups, read out one by one.
import { digitGroups } from "../lib/format";
import { words } from "../words";

export function Digits({ digits }: { digits: string }) {
  const [first, second] = digitGroups(digits);
  return (
    <span class="digits" role="img" aria-label={words.devices.digitsName(digits.replace(/\D/g, ""))}>
      <span>{first}</span> <span>{second}</span>
    </span>
  );
}
