/** A question whose answer a page shows: asked again when its inputs change, keeping the old answer meanwhile. */
import { ApiProblem } from "./api";

export class Resource<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<ApiProblem | null>(null);
  loading = $state(false);
  #running: AbortController | null = null;

  /** Asks; an older question still under way is dropped. `quiet`: a refresh that must not flash. */
  async ask(question: (signal: AbortSignal) => Promise<T>, quiet = false): Promise<void> {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    if (!quiet) this.loading = true;
    try {
      const value = await question(running.signal);
      if (running.signal.aborted) return;
      this.value = value;
      this.problem = null;
    } catch (error) {
      if (running.signal.aborted) return;
      // A refresh that failed leaves the last answer standing; the live mark shows the lost connection.
      if (!quiet || this.value === null) this.problem = ApiProblem.from(error);
    }
    this.loading = false;
  }

  /** Forgets the answer (another project, another question). */
  clear(): void {
    this.#running?.abort();
    this.value = null;
    this.problem = null;
    this.loading = false;
  }
}

/** Runs `work` at most once per `ms`: at once, then once more at the end of the pause if it was called meanwhile. */
export function throttle(work: () => void, ms: number): { call: () => void; cancel: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pending = false;
  const call = () => {
    if (timer !== undefined) {
      pending = true;
      return;
    }
    work();
    timer = setTimeout(() => {
      timer = undefined;
      if (pending) {
        pending = false;
        call();
      }
    }, ms);
  };
  return { call, cancel: () => clearTimeout(timer) };
}
