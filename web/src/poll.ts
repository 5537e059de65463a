/** Asking again and again while somebody looks. */

/** Calls `work` every `ms` while the page is visible, and at once when it becomes visible again. Returns how to stop. */
export function poll(work: () => void, ms: number): () => void {
  const visible = () => document.visibilityState === "visible";
  const timer = setInterval(() => visible() && work(), ms);
  const seen = () => visible() && work();
  document.addEventListener("visibilitychange", seen);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", seen);
  };
}
