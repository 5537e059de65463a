/**
 * Server-sent events over `fetch`: unlike `EventSource` it can carry an Authorization header. The parser follows the
 * WHATWG event stream format (lines end in LF, CR or CRLF; a blank line ends a message; comments begin with a colon).
 */

export interface Message {
  event: string;
  data: string;
}

/** Takes the stream's text in pieces of any size, gives whole messages. */
export class MessageParser {
  #rest = "";
  #event = "";
  #data: string[] = [];

  push(text: string): Message[] {
    const messages: Message[] = [];
    // A CR at the very end may be the first half of a CRLF: it waits for the next piece.
    const all = this.#rest + text;
    const held = all.endsWith("\r") ? 1 : 0;
    const lines = all.slice(0, all.length - held).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + (held ? "\r" : "");
    for (const line of lines) this.#line(line, messages);
    return messages;
  }

  #line(line: string, messages: Message[]): void {
    if (line === "") {
      if (this.#data.length > 0) messages.push({ event: this.#event || "message", data: this.#data.join("\n") });
      this.#event = "";
      this.#data = [];
      return;
    }
    if (line.startsWith(":")) return;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
  }
}

/** How long to wait before the `attempt`-th reconnection (from 1): doubling from 1 s to 30 s, spread by chance. */
export function backoffMs(attempt: number, chance: number): number {
  const full = Math.min(30_000, 1_000 * 2 ** (attempt - 1));
  return Math.round(full / 2 + (full / 2) * chance);
}

/** The server sends a comment every 15 s: after three silences the connection is dead, whatever TCP thinks. */
const SILENCE_MS = 50_000;

export interface Follow {
  /** Opens the stream; throws when the server refuses. */
  open: (signal: AbortSignal) => Promise<Response>;
  onMessage: (message: Message) => void;
  onState: (state: "open" | "waiting") => void;
  signal: AbortSignal;
}

/** Reads a stream until `signal` ends it, reconnecting with back-off. Never throws. */
export async function follow({ open, onMessage, onState, signal }: Follow): Promise<void> {
  let attempt = 0;
  while (!signal.aborted) {
    const connection = new AbortController();
    const stop = () => connection.abort();
    signal.addEventListener("abort", stop);
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    try {
      const response = await open(connection.signal);
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      onState("open");
      const parser = new MessageParser();
      const reader = response.body.pipeThrough(new TextDecoderStream() as never).getReader();
      for (;;) {
        clearTimeout(watchdog);
        watchdog = setTimeout(stop, SILENCE_MS);
        const { done, value } = (await reader.read()) as ReadableStreamReadResult<string>;
        if (done) break;
        for (const message of parser.push(value)) {
          // A stream that only says what is wrong, and ends, is a refusal.
          if (message.event !== "problem") attempt = 0;
          onMessage(message);
        }
      }
    } catch {
      // Refused, cut or ended by us: the loop decides.
    } finally {
      clearTimeout(watchdog);
      signal.removeEventListener("abort", stop);
    }
    if (signal.aborted) return;
    onState("waiting");
    attempt += 1;
    await pause(backoffMs(attempt, Math.random()), signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });
}
