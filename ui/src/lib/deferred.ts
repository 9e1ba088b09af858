// A value that is updated with a short delay: typing stays fast while a long list is searched.
import { useEffect, useState } from "preact/hooks";

export function useDeferred<T>(value: T, wait = 60): T {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(() => value), wait);
    return () => clearTimeout(timer);
  }, [value, wait]);
  return late;
}
