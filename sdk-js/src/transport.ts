/** One POST to the capture endpoint. Knows HTTP and nothing of queues. */

/** What browsers let live on after the page: 64 KiB over all requests of the page in flight; some is for the page itself. */
const KEEPALIVE_BYTES = 60_000;
/** A request without an answer is given up after this long; the server recognises the repetition. */
const TIMEOUT_MS = 30_000;
/** A longer `Retry-After` is a mistake of some proxy. */
const LONGEST_PAUSE_MS = 3_600_000;

export interface Reply {
  /** HTTP status; 0 when there was no answer; -1 when there will be none (a beacon). */
  status: number;
  /** The pause the server asks for, in milliseconds. */
  pauseMs?: number | undefined;
  /** The answer, where somebody wants to read it. */
  response?: Response;
}

let inFlightBytes = 0;

/** Length in UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * Posts `body`. A text body and no header of our own make it a "simple request": no preflight.
 * `leaving`: the page may be gone before the answer.
 */
export async function post(url: string, body: string, leaving: boolean): Promise<Reply> {
  const size = byteLength(body);
  const keepalive = inFlightBytes + size <= KEEPALIVE_BYTES;
  if (leaving && !('keepalive' in Request.prototype)) {
    return { status: navigator.sendBeacon(url, body) ? -1 : 0 };
  }
  if (keepalive) inFlightBytes += size;
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      keepalive,
      credentials: 'omit',
      signal: AbortSignal.timeout?.(TIMEOUT_MS) ?? null, // browsers before 2022 wait as long as the system does
    });
    return { status: response.status, pauseMs: pauseOf(response.headers.get('Retry-After')), response };
  } catch {
    return { status: 0 };
  } finally {
    if (keepalive) inFlightBytes -= size;
  }
}

/** `Retry-After` is seconds or an HTTP date (RFC 9110, section 10.2.3). */
function pauseOf(header: string | null): number | undefined {
  if (!header) return undefined;
  const pause = Number(header) * 1000 || Date.parse(header) - Date.now();
  return pause > 0 ? Math.min(pause, LONGEST_PAUSE_MS) : undefined;
}
