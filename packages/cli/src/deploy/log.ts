/** A deployment as lines with virtual time: what begins, each tenth of the disk, and what the guest prints. */
import type { Laboratory, PhaseStart } from "castaway";
import type { Front } from "../front.ts";
import { amount, phaseNames, phaseStories } from "./words.ts";

/** Control sequences and strings [ECMA-48 5.4], and control characters but the tabulator. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f]/g;

/** Cuts bytes into lines, without what only terminals understand. */
class Lines {
  #bytes: number[] = [];
  readonly #line: (text: string) => void;

  constructor(line: (text: string) => void) {
    this.#line = line;
  }
  readonly feed = (byte: number): void => {
    if (byte === 0x0a) this.end();
    else this.#bytes.push(byte);
  };
  /** What is there is a line, if anything is. */
  end(): void {
    const text = Buffer.from(this.#bytes).toString("utf8").replace(controls, "").trimEnd();
    this.#bytes = [];
    if (text !== "") this.#line(text);
  }
}

export class LogFront implements Front {
  readonly #lab: Laboratory;
  readonly #out: NodeJS.WritableStream;
  readonly #err: NodeJS.WritableStream;
  readonly #guest: Lines;
  readonly #vmm: Lines;
  #text = "";
  #tenths = 0;
  /** What the drive had written when the disk was looked at last. */
  #looked = 0;

  /** @param log whether what the hypervisor prints on port E9 is shown too */
  constructor(lab: Laboratory, out: NodeJS.WritableStream, err: NodeJS.WritableStream, log: boolean) {
    this.#lab = lab;
    this.#out = out;
    this.#err = err;
    this.#guest = new Lines((text) => this.#add(`| ${text}`));
    this.#vmm = new Lines((text) => this.#add(`vmm: ${text}`));
    lab.machine.com1.onByte(this.#guest.feed);
    if (log) lab.machine.debugLog.onByte(this.#vmm.feed);
    const begun = ({ phase, at }: PhaseStart) => this.#add(`${phaseNames[phase]}: ${phaseStories[phase]}`, at);
    for (const start of lab.starts) begun(start);
    lab.observer.onPhase(begun);
    lab.machine.probes.disks[0]!.commands.on(() => this.#progress());
  }

  #add(text: string, at = this.#lab.machine.now): void {
    this.#text += `[${(at / 1e9).toFixed(6).padStart(11)}] ${text}\n`;
  }
  /** After commands, so that equal runs have equal lines. */
  #progress(): void {
    if (this.#lab.phase !== "streaming") return;
    const { image, observer } = this.#lab;
    const size = image.sectors * image.sectorSize;
    if (observer.disk.written - this.#looked < size / 200) return;
    this.#looked = observer.disk.written;
    const { localBytes } = this.#lab;
    const tenths = Math.floor((10 * localBytes) / size);
    if (tenths <= this.#tenths) return;
    this.#tenths = tenths;
    this.#add(`disk ${10 * tenths} %: ${amount(localBytes)} of ${amount(size)} are local`);
  }

  open(): void {}
  show(): void {
    if (this.#text !== "") this.#out.write(this.#text);
    this.#text = "";
  }
  note(text: string): void {
    this.#err.write(`castaway: ${text}\n`);
  }
  close(): void {
    this.#guest.end();
    this.#vmm.end();
    this.show();
  }
}
