/**
 * What happens in a project right now: one stream for the whole dashboard, opened by the frame, read by the pages.
 */
import { ApiProblem, events, openLive, type Now, type StoredEvent } from "./api";
import { today, type LocalDate } from "./range";
import { follow, type Message } from "./sse";

class Live {
  now = $state.raw<Now | null>(null);
  /** `open`: messages arrive. `waiting`: the connection was lost and is being tried again. */
  state = $state<"connecting" | "open" | "waiting">("connecting");
  /** Whether the project ever got an event; null while unknown. Turns by itself with the first one. */
  started = $state<boolean | null>(null);
  /** Grows with every change of the project's numbers: pages ask again when it moves. */
  revision = $state(0);
  #listeners = new Set<(events: StoredEvent[]) => void>();
  #stop: AbortController | null = null;

  /** Follows a project until another one is followed or the returned function is called. */
  watch(project: string): () => void {
    this.#stop?.abort();
    const stop = new AbortController();
    this.#stop = stop;
    this.now = null;
    this.started = null;
    this.state = "connecting";
    void this.#look(project, stop.signal);
    void follow({
      open: (signal) => openLive(project, signal),
      onMessage: (message) => this.#take(message),
      onState: (state) => (this.state = state),
      signal: stop.signal,
    });
    return () => stop.abort();
  }

  /** Calls back with new events, oldest first as they came. Returns how to stop. */
  listen(callback: (events: StoredEvent[]) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  #take(message: Message): void {
    let data: unknown;
    try {
      data = JSON.parse(message.data);
    } catch {
      return;
    }
    if (message.event === "now") {
      const now = data as Now;
      if (this.now && now.events_today !== this.now.events_today) this.revision += 1;
      if (now.events_today > 0) this.started = true;
      this.now = now;
    } else if (message.event === "events") {
      const arrived = (data as { events: StoredEvent[] }).events;
      if (arrived.length === 0) return;
      this.started = true;
      this.revision += 1;
      for (const listener of this.#listeners) listener(arrived);
    }
  }

  async #look(project: string, signal: AbortSignal): Promise<void> {
    try {
      const newest = await events(project, { limit: 1 }, signal);
      if (newest.data.length > 0) this.started = true;
      else this.started ??= false;
    } catch (error) {
      // Unknown stays unknown: the page's own questions will show what is wrong.
      if (!(error instanceof ApiProblem) && !signal.aborted) throw error;
    }
  }
}

export const live = new Live();

/** Today's date in a zone; looked up again with every message, so that a page left open overnight moves on. */
export function currentDay(zone: string): LocalDate {
  void live.now;
  return today(zone, Date.now());
}
