/**
 * One seed: from a snapshot at the hypervisor's guest entry a small guest reads and writes at random while its disk streams in
 * over a network that fails at random. Guest, oracle and a comparison of the whole disk each say whether that went right.
 */
import assert from "node:assert/strict";
import { ms, type Nanoseconds, Random, seconds } from "@castaway/kit";
import type { AoeServer, Laboratory, VmmArguments, Watch } from "castaway";
import { laboratory, nothingFound, staysBare, verified } from "../deployment.ts";
import { patternImage } from "./image.ts";
import { Weather } from "./weather.ts";

/** Where faults.c looks for its orders, and how it knows that they are some. */
const [WISH, MAGIC] = [0x7000, 0x5eed0bed];
const [BY_BIOS, BY_AHCI] = [1, 2];
/** Virtual time that a seed may take: several times what the slowest took. */
const LONGEST = seconds(20);

/** The hypervisor's settings, one after the other as seeds go. */
const SETTINGS: readonly (VmmArguments & { readonly cpus: number })[] = [
  { cpus: 1, block: 65_536, redirect: "store", chunk: 2 },
  { cpus: 1, block: 4096, redirect: "dummy", chunk: 8 },
];

interface Start {
  readonly lab: Laboratory;
  readonly state: Uint8Array;
  readonly server: ReturnType<AoeServer["save"]>;
}
const starts = new Map<number, Promise<Start>>();
let image: Uint8Array | undefined;

/** A laboratory at its guest's first instruction, to which it can go back. */
async function begin({ cpus, ...words }: (typeof SETTINGS)[number]): Promise<Start> {
  image ??= patternImage();
  const link = { bandwidth: 200_000_000 };
  const commandLine = { ...words, idle: ms(1), log: 1 };
  const lab = await laboratory({ image, cpus, link, commandLine, memory: "64MiB", disk: { timing: "ssd" } });
  const server = lab.lan.aoe!.save();
  const stop = lab.run({ until: lab.reaches("streaming"), atMost: seconds(30) });
  assert.equal(stop.reason, "watch", `no guest entry: ${stop.reason} ${stop.detail}`);
  return { lab, state: lab.machine.saveState(), server };
}

export interface Played {
  readonly lab: Laboratory;
  /** What the network did. */
  readonly weather: Weather;
  /** What the guest printed. */
  readonly said: string;
  /** What went wrong; null: nothing. */
  readonly wrong: string | null;
}

/** @param until where to stop if it is not over by then, in virtual time since power-on */
export async function playSeed(seed: number, until = Number.POSITIVE_INFINITY): Promise<Played> {
  const n = seed % SETTINGS.length;
  const start = starts.get(n) ?? begin(SETTINGS[n]!);
  starts.set(n, start);
  const { lab, state, server } = await start;
  lab.machine.restoreState(state);
  const random = new Random(`guest ${seed}`);
  const ways = 1 + random.below(3);
  order(lab, [MAGIC, random.u32(), random.below(2), ways & BY_BIOS ? 5 : 0, ways & BY_AHCI ? 12 : 0]);
  const weather = new Weather(lab, seed, server);
  const play = new Play(lab, weather, until);
  let wrong: string | null = null;
  try {
    play.toTheEnd();
  } catch (error) {
    wrong = error instanceof Error ? error.message : String(error);
  }
  return { lab, weather, said: play.said, wrong };
}

/** The guest's orders, in memory that nobody uses before it runs. */
function order({ machine }: Laboratory, words: readonly number[]): void {
  machine.board.cpu.write(WISH, new Uint8Array(Uint32Array.from(words).buffer));
}

class Play {
  readonly #lab: Laboratory;
  readonly #weather: Weather;
  readonly #until: Nanoseconds;
  readonly #end: Nanoseconds;
  readonly #stopped: Watch;
  /** What earlier seeds printed ends here: a transcript is no part of a machine's state. */
  readonly #from: number;

  constructor(lab: Laboratory, weather: Weather, until: Nanoseconds) {
    this.#lab = lab;
    this.#weather = weather;
    this.#until = until;
    this.#end = lab.machine.now + LONGEST;
    this.#from = lab.machine.com1.length;
    this.#stopped = lab.machine.com1.shows("STOPPED");
  }

  toTheEnd(): void {
    const { com1 } = this.#lab.machine;
    const done = com1.shows("ALL RIGHT");
    while (!this.#over && !done.seen) {
      this.#run(this.#weather.next(), done);
      this.#weather.change();
    }
    const bare = this.#lab.reaches("bare");
    while (!this.#over && !bare.seen) {
      this.#run(this.#weather.next(), bare, () => `${this.#lab.localBytes} bytes are local.`);
      this.#weather.change();
    }
    this.#weather.end();
    const again = com1.shows("STILL RIGHT");
    com1.type("x");
    while (!this.#over && !again.seen) this.#run(ms(10), again);
    if (this.#over) return;
    staysBare(this.#lab);
    verified(this.#lab);
  }
  get said(): string {
    const { text, length } = this.#lab.machine.com1;
    return text.slice(this.#from - length).trim();
  }
  get #over(): boolean {
    return this.#lab.machine.now >= this.#until;
  }

  #run(atMost: Nanoseconds, done?: Watch, more = () => ""): void {
    const { machine } = this.#lab;
    const until = done === undefined ? [this.#stopped] : [done, this.#stopped];
    machine.run({ until, atMost: Math.min(atMost, this.#until - machine.now) });
    assert.ok(!this.#stopped.seen, `the guest says: ${this.said}`);
    nothingFound(this.#lab);
    assert.ok(machine.now < this.#end, `it goes no further. ${more()} The guest says: ${this.said}`);
  }
}
