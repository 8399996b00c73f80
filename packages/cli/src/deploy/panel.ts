/** What stands below the guest's console: the phase, a picture of the disk, and how fast it goes. */
import type { Laboratory } from "castaway";
import type { Panel } from "../terminal.ts";
import { drawMap } from "./map.ts";
import { Meter, type Rates } from "./rates.ts";
import type { Verdict } from "./verdict.ts";
import { amount, count, phaseNames, time } from "./words.ts";

/** Lines of the picture. */
const MAP_LINES = 3;
const inverse = (text: string) => `\x1b[7m${text}\x1b[0m`;

export class DeployPanel implements Panel {
  readonly #lab: Laboratory;
  readonly #meter: Meter;
  #before: readonly number[] = [];

  readonly #verdict: Verdict;

  /** @param now host time in milliseconds */
  constructor(lab: Laboratory, verdict: Verdict, now: () => number) {
    this.#lab = lab;
    this.#verdict = verdict;
    this.#meter = new Meter(lab, now);
  }

  /** Once all is there one line is enough. */
  get height(): number {
    return this.#bare ? 1 : MAP_LINES + 2;
  }
  get #bare(): boolean {
    return this.#lab.phase === "bare" || this.#lab.phase === "off";
  }

  lines(columns: number): string[] {
    const rates = this.#meter.measure();
    if (this.#bare) return [this.#bareLine(rates, columns)];
    const cells = columns * MAP_LINES;
    const shares = this.#lab.local(cells);
    const before = this.#before.length === cells ? this.#before : shares;
    this.#before = shares;
    const fill = (text: string) => text.slice(0, columns).padEnd(columns);
    return [inverse(fill(this.#headline(rates))), ...drawMap(shares, before, columns), fill(this.#speeds(rates))];
  }

  #headline(rates: Rates | null): string {
    const { phase, machine, localBytes, image } = this.#lab;
    const size = image.sectors * image.sectorSize;
    const share = `${amount(localBytes)} of ${amount(size)} local (${Math.floor((100 * localBytes) / size)} %)`;
    return ` ${phaseNames[phase]} | ${share} | ${time(machine.now)}${speed(rates)} | Ctrl-A h: help`;
  }
  #speeds(rates: Rates | null): string {
    if (rates === null) return "";
    const { image, localBytes } = this.#lab;
    const left = image.sectors * image.sectorSize - localBytes;
    const eta = rates.local > 0 && left > 0 ? `, done in ${time((left / rates.local) * 1e9)}` : "";
    const parts = [
      `network ${amount(rates.network)}/s`,
      `disk ${amount(rates.disk)}/s`,
      `${count(rates.exits)} VM exits/s`,
    ];
    return ` ${parts.join(", ")}${eta} (of virtual time)`;
  }
  #bareLine(rates: Rates | null, columns: number): string {
    const { phase, machine, observer } = this.#lab;
    const { verified } = this.#verdict;
    const disk = verified === null ? "" : verified ? "disk verified, " : "THE DISK IS WRONG, ";
    const exits = `${count(observer.exitsAfter ?? 0)} VM exits since the hypervisor left`;
    const text = ` ${phaseNames[phase]}: ${disk}${exits} | ${time(machine.now)}`;
    return inverse(`${text}${speed(rates)} | Ctrl-A h: help `.slice(0, columns));
  }
}

const speed = (rates: Rates | null) => (rates === null ? "" : ` | ${rates.mips.toFixed(0)} MIPS`);
