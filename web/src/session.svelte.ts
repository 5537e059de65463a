/** Who is signed in, and which projects they can see. */
import { hasSignedIn, onLost, refresh } from "./access";
import * as api from "./api";
import type { Me, Project } from "./api";

const LAST_PROJECT = "footfall.project";

class Session {
  /** `setup`: nobody has an account yet. `broken`: the server did not answer. */
  state = $state<"loading" | "setup" | "out" | "in" | "broken">("loading");
  me = $state.raw<Me | null>(null);
  problem = $state.raw<api.ApiProblem | null>(null);
  readonly projects: Project[] = $derived(this.me?.projects ?? []);

  constructor() {
    onLost(() => this.#end());
  }

  /** At load: the cookie may still be good; otherwise ask whether anybody is here at all. */
  async start(): Promise<void> {
    this.state = "loading";
    this.problem = null;
    try {
      if (hasSignedIn() && (await refresh())) return await this.load();
      const status = await api.authStatus();
      this.state = status.needs_setup ? "setup" : "out";
    } catch (error) {
      this.problem = api.ApiProblem.from(error);
      this.state = "broken";
    }
  }

  /** Reads the account again (after signing in, or after a change to projects). */
  async load(): Promise<void> {
    this.me = await api.me();
    this.state = "in";
  }

  async login(email: string, password: string): Promise<void> {
    await api.login(email, password);
    await this.load();
  }

  async register(account: Parameters<typeof api.register>[0]): Promise<void> {
    await api.register(account);
    await this.load();
  }

  async logout(): Promise<void> {
    await api.logout().catch(() => undefined);
    this.#end();
  }

  /** The project of an address, else the one looked at last, else the first. */
  project(number: number | null): Project | null {
    const wanted = number ?? Number(readLast());
    return this.projects.find((one) => one.number === wanted) ?? (number === null ? (this.projects[0] ?? null) : null);
  }

  remember(project: Project): void {
    try {
      localStorage.setItem(LAST_PROJECT, String(project.number));
    } catch {
      // Storage is blocked: the first project it is, next time.
    }
  }

  /** Puts a changed project in its place. */
  replace(project: Project): void {
    if (!this.me) return;
    this.me = { ...this.me, projects: this.me.projects.map((one) => (one.id === project.id ? project : one)) };
  }

  #end(): void {
    this.me = null;
    this.state = "out";
  }
}

function readLast(): string | null {
  try {
    return localStorage.getItem(LAST_PROJECT);
  } catch {
    return null;
  }
}

/** Members who may change a project's settings and keys. */
export function mayManage(role: string): boolean {
  return role === "owner" || role === "admin";
}

export const session = new Session();
