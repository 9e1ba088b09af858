// A part that is redrawn only when its properties changed: mainly rows of long lists.
import { Component, type FunctionComponent } from "preact";

export function still<P extends object>(Drawn: FunctionComponent<P>): new () => Component<P> {
  return class Still extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return differ(this.props as P, next);
    }

    override render() {
      return <Drawn {...(this.props as P)} />;
    }
  };
}

function differ(before: object, after: object): boolean {
  const names = Object.keys(after);
  if (names.length !== Object.keys(before).length) return true;
  return names.some((name) => (before as Record<string, unknown>)[name] !== (after as Record<string, unknown>)[name]);
}
