/**
 * Probes: typed events for people and tools that watch a machine. A watched machine runs exactly as an unwatched one.
 *
 *     readonly commands = new Probe<{ lba: number; sectors: number }>("disk commands");
 *     if (this.commands.active) this.commands.emit({ lba, sectors });     // builds no event while nobody listens
 *
 *     const stop = disk.commands.on(({ lba }) => console.log(lba));
 */

/** One kind of event; `E` is what it tells. */
export class Probe<E> {
  /** What the events are, for people. */
  readonly name: string;
  /** Whether anybody listens. Test it before building an event. */
  active = false;
  #listeners: readonly ((event: E) => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /**
   * Calls `listener` at every event from now on, after those that listen already. It is called in the middle of what
   * the machine does: it may read and remember, it must not change the machine, and what it throws ends the run.
   * @returns a function that ends it; calling that twice does no harm
   */
  on(listener: (event: E) => void): () => void {
    const own = (event: E) => listener(event); // the same function may listen twice and stop once
    this.#listeners = [...this.#listeners, own];
    this.active = true;
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== own);
      this.active = this.#listeners.length > 0;
    };
  }

  /** Tells all who listen now; who stops listening meanwhile is still told this event. */
  emit(event: E): void {
    for (const listener of this.#listeners) listener(event);
  }
}
