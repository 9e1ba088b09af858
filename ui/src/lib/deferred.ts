// A value that follows a moment later: typing stays quick while a long list is searched.
import { useEffect, useState } from "preact/hooks";

export function useDeferred<T>(value: T, wait = 60): T {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(() => value), wait);
    return () => clearTimeout(timer);
  }, [value, wait]);
  return late;
}
