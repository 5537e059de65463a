/** A project's annotations: read once, shown on every chart over days. */
import type { Annotation, Of } from "../api-saved";
import { remove, save, change, savedList } from "../api-saved";
import { addDays, today } from "../range";

export interface Mark {
  id: string;
  text: string;
  by: string;
  /** First and last local day. */
  first: string;
  last: string;
}

class Annotations {
  marks = $state.raw<Mark[]>([]);
  #project = "";
  #zone = "UTC";

  /** Reads those of a project, once. */
  watch(project: string, zone: string): void {
    if (this.#project === project && this.#zone === zone) return;
    this.#project = project;
    this.#zone = zone;
    this.marks = [];
    void this.#read();
  }

  async add(text: string, first: string, last: string): Promise<void> {
    await save(this.#project, this.#content(text, first, last));
    await this.#read();
  }

  async change(id: string, text: string, first: string, last: string): Promise<void> {
    await change(this.#project, id, this.#content(text, first, last));
    await this.#read();
  }

  async remove(id: string): Promise<void> {
    await remove(this.#project, id);
    await this.#read();
  }

  #content = (text: string, first: string, last: string): Annotation => ({ kind: "annotation", text, from: first, to: addDays(last, 1) });

  async #read(): Promise<void> {
    const project = this.#project;
    try {
      const found = await savedList(project, "annotation");
      if (project === this.#project) this.marks = found.map((one) => this.#mark(one));
    } catch {
      // A chart without remarks is still the chart.
    }
  }

  #mark({ id, content, changed_by }: Of<Annotation>): Mark {
    const first = content.at ? today(this.#zone, Date.parse(content.at)) : (content.from ?? "");
    const last = content.at || !content.to ? first : addDays(content.to, -1);
    return { id, text: content.text, by: changed_by, first, last };
  }
}

export const annotations = new Annotations();
