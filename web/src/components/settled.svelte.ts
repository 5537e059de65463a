/**
 * A field's own draft, so that a question is not asked for every letter: it settles after a pause, or when the field is
 * left. Call it while a component is being set up.
 */
import { untrack } from "svelte";

const PAUSE_MS = 700;

export interface Settled<D> {
  /** What the field shows and changes. */
  value: D;
  /** Without waiting for a pause. */
  now: () => void;
}

export function settled<D, T>(field: {
  given: () => T;
  read: (given: T) => D;
  write: (draft: D) => T;
  onchange: (value: T) => void;
}): Settled<D> {
  let draft = $state(untrack(() => field.read(field.given())));
  const text = () => JSON.stringify(field.write(draft));
  const given = $derived(JSON.stringify(field.given()));
  // A value from elsewhere (the back button) takes the place of the draft.
  $effect(() => {
    void given;
    untrack(() => {
      if (text() !== given) draft = field.read(field.given());
    });
  });
  const now = () => {
    if (text() !== given) field.onchange(field.write($state.snapshot(draft) as D));
  };
  $effect(() => {
    if (text() === untrack(() => given)) return;
    const timer = setTimeout(now, PAUSE_MS);
    return () => clearTimeout(timer);
  });
  return {
    get value() {
      return draft;
    },
    set value(next) {
      draft = next;
    },
    now,
  };
}
