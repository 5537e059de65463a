/**
 * A question whose home is the address: the page edits a draft, the draft becomes the address when the person pauses,
 * and the address is what is asked. So links, reloads and the back button all mean the same question.
 *
 * Make one while a component is being set up: it lives as long as the component.
 */
import { untrack } from "svelte";
import { PAST_PARAMETERS } from "./past/instant";
import { shownPast } from "./past/shown";
import { Resource } from "./resource.svelte";
import { router } from "./router.svelte";

export interface Kind<Q, T> {
  /** The question of an address; what it does not say, or says in words of its own, is the usual. */
  read: (query: URLSearchParams) => Q;
  /** Parameters of what is not as usual. */
  write: (question: Q) => [name: string, value: string][];
  /** What keeps it from being asked, in words; null when it can be. */
  complaint: (question: Q) => string | null;
  ask: (question: Q, signal: AbortSignal) => Promise<T>;
  /** All else that the answer depends on, as a text: the project, its zone, the dates. */
  about: () => string;
  /** Parameters of the address that are no part of the question, and stay. */
  keep: readonly string[];
}

/** How long a person pauses before a draft is taken for their question. */
export const PAUSE_MS = 350;

export class Asked<Q, T> {
  readonly answer = new Resource<T>();
  readonly #kind: Kind<Q, T>;
  /** The page that this question belongs to: while another one comes, the address is no longer ours. */
  readonly #page = untrack(() => router.route.page);
  /** What the editor shows and changes. */
  draft = $state() as Q;
  /** What keeps the draft from being asked. */
  readonly complaint: string | null = $derived.by(() => this.#kind.complaint(this.draft));
  /** The question of the address. */
  readonly question: Q = $derived.by(() => (this.#ours ? this.#kind.read(router.query) : untrack(() => this.draft)));
  readonly #key: string = $derived.by(() => JSON.stringify([this.#kind.about(), this.#written(this.question), shownPast()]));

  constructor(kind: Kind<Q, T>) {
    this.#kind = kind;
    this.draft = untrack(() => kind.read(router.query));
    $effect(() => {
      void this.#key;
      untrack(() => {
        if (!this.#ours) return;
        // The address moved by itself (a link, the back button): the editor follows. Else the draft is ahead of it.
        if (this.#written(this.draft) !== this.#written(this.question)) this.draft = kind.read(router.query);
        this.again();
      });
    });
    $effect(() => {
      const text = this.#written(this.draft);
      if (this.complaint !== null || text === untrack(() => this.#written(this.question))) return;
      const timer = setTimeout(() => this.#commit(), PAUSE_MS);
      return () => clearTimeout(timer);
    });
  }

  /** Asks the question of the address (again). `quiet`: a refresh that must not flash. */
  again(quiet = false): void {
    const question = this.question;
    if (this.#kind.complaint(question) !== null) this.answer.clear();
    else void this.answer.ask((signal) => this.#kind.ask(question, signal), quiet);
  }

  /** The draft at once, without waiting for a pause (Enter, a button); the same question is asked again. */
  now(): void {
    if (this.complaint === null && !this.#commit()) this.again();
  }

  /** Puts a question in place of the draft that nobody wrote; it leaves no step in the history. */
  begin(question: Q): void {
    this.draft = question;
    if (this.complaint === null) this.#commit(true);
  }

  get #ours(): boolean {
    return router.route.page === this.#page;
  }

  #written(question: Q): string {
    return JSON.stringify(this.#kind.write(question));
  }

  /** Writes the draft into the address; false: it says so already. */
  #commit(replace = false): boolean {
    if (!this.#ours) return true;
    const kept = [...router.query].filter(([name]) => this.#kind.keep.includes(name) || PAST_PARAMETERS.some((one) => one === name));
    const text = new URLSearchParams([...this.#kind.write(this.draft), ...kept]).toString();
    const target = router.path + (text ? `?${text}` : "");
    if (target === router.path + router.search) return false;
    router.navigate(target, replace);
    return true;
  }
}
