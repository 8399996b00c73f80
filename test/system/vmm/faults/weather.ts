/**
 * What goes wrong on the network, drawn from a seed: every few milliseconds of virtual time the deployment cable gets other
 * losses, delays and errors; now and then a cable is pulled, or the server is started anew.
 */
import { ms, type Nanoseconds, Random, us } from "@castaway/kit";
import type { AoeServer, Laboratory, LinkOptions } from "castaway";

/** The cables of a laboratory's switch: its cards', the host's, the AoE server's. */
const [DEPLOYMENT, SERVER] = [0, 3];
/** The longest that a cable is out or a server is off. */
const LONGEST_GAP = ms(30);

export class Weather {
  /** What has happened, for people. */
  readonly log: string[] = [];
  readonly #lab: Laboratory;
  readonly #random: Random;
  readonly #fresh: ReturnType<AoeServer["save"]>;
  #clearAt: Nanoseconds | null = null;

  /** @param fresh the server's state when it has just been started */
  constructor(lab: Laboratory, seed: number, fresh: ReturnType<AoeServer["save"]>) {
    this.#lab = lab;
    this.#random = new Random(`weather ${seed}`);
    this.#fresh = fresh;
  }

  /** How long until the next {@link change}. */
  next(): Nanoseconds {
    if (this.#clearAt !== null) return this.#clearAt - this.#lab.machine.now;
    return us(500 + this.#random.below(8000));
  }
  change(): void {
    if (this.#clearAt !== null) return this.#restore();
    const kind = this.#random.below(20);
    if (kind === 0) this.#pull(DEPLOYMENT, "the machine's cable");
    else if (kind <= 2) this.#pull(SERVER, "the server's cable");
    else if (kind === 3) this.#restart();
    else if (kind <= 6) this.#wire({ loss: 0, duplication: 0, reordering: 0, corruption: 0, jitter: 0 });
    else this.#storm();
  }
  /** All is well again. */
  end(): void {
    if (this.#clearAt !== null) this.#restore();
    this.#wire({ loss: 0, duplication: 0, reordering: 0, corruption: 0, jitter: 0 });
  }

  /** Each probability is 0 half of the time, else small, and seldom large. */
  #storm(): void {
    const chance = () => {
      const most = this.#random.below(6) === 0 ? 0.4 : 0.05;
      return this.#random.below(2) === 0 ? 0 : Math.round(1000 * most * this.#random.fraction()) / 1000;
    };
    const [loss, duplication, reordering, corruption] = [chance(), chance(), chance(), chance()];
    const jitter = this.#random.below(3) === 0 ? us(this.#random.below(2000)) : 0;
    const reorderDelay = us(10 + this.#random.below(3000));
    this.#wire({ loss, duplication, reordering, corruption, jitter, reorderDelay });
  }
  #wire(options: LinkOptions): void {
    const { toA, toB } = this.#lab.lan.net.links[DEPLOYMENT]!;
    for (const wire of [toA, toB]) wire.change(options);
    this.#note(JSON.stringify(options));
  }
  #pull(cable: number, name: string): void {
    this.#lab.lan.net.links[cable]!.up = false;
    this.#clearAt = this.#lab.machine.now + this.#random.below(LONGEST_GAP);
    this.#note(`${name} is pulled until ${(this.#clearAt / 1e9).toFixed(6)} s`);
  }
  /** The server forgets all that it was asked, is away for a while, and tells everybody when it is back. */
  #restart(): void {
    this.#lab.lan.aoe!.restore(this.#fresh);
    this.#pull(SERVER, "the server is started anew: its cable");
  }
  #restore(): void {
    this.#clearAt = null;
    for (const cable of [DEPLOYMENT, SERVER]) this.#lab.lan.net.links[cable]!.up = true;
    if (this.#random.below(2) === 0) this.#lab.lan.aoe!.announce();
    this.#note("cables are in");
  }
  #note(what: string): void {
    this.log.push(`${(this.#lab.machine.now / 1e9).toFixed(6)} s: ${what}`);
  }
}
