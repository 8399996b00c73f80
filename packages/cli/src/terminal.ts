/** The serial port in the user's terminal: raw mode, the escape key, and a status line below what the guest prints. */
import type { ReadStream, WriteStream } from "node:tty";
import ansi from "ansi-escapes";
import type { Machine } from "castaway";
import { type EscapeCommand, EscapeFilter, escapeHelp } from "./escape.ts";
import type { Front, Wishes } from "./front.ts";
import { Rest, type Status } from "./status.ts";

/** The streams of a terminal. */
export interface Tty {
  readonly in: ReadStream;
  readonly out: WriteStream;
}

/** Milliseconds between two status lines. */
const STATUS_EVERY = 250;
const [SAVE_CURSOR, RESTORE_CURSOR] = ["\x1b7", "\x1b8"]; // DECSC, DECRC: with colours, unlike CSI s
/** Lines 1 to `last` scroll, the others stay (DECSTBM); the cursor goes home. */
const scrollRegion = (last: number | "") => `\x1b[${last === "" ? "" : `1;${last}`}r`;
const inverse = (text: string) => `\x1b[7m${text}\x1b[0m`;

/** What both terminal fronts share: raw mode, the escape key, leaving the terminal as it was. */
export abstract class TerminalFront implements Front {
  protected readonly machine: Machine;
  protected readonly out: WriteStream;
  readonly #in: ReadStream;
  readonly #filter = new EscapeFilter();
  #wishes: Wishes | null = null;

  constructor(machine: Machine, tty: Tty) {
    this.machine = machine;
    this.#in = tty.in;
    this.out = tty.out;
  }

  open(wishes: Wishes): void {
    this.#wishes = wishes;
    this.#in.setRawMode(true);
    this.#in.on("data", this.#typed);
    this.#in.resume();
    this.out.on("resize", this.#resized);
    process.on("exit", this.#leave); // whatever ends the process
    this.enter();
  }
  close(): void {
    if (this.#wishes === null) return;
    this.#wishes = null;
    this.show();
    this.leave();
    this.#in.off("data", this.#typed);
    this.#in.setRawMode(false);
    this.#in.pause();
    this.out.off("resize", this.#resized);
    process.off("exit", this.#leave);
  }
  readonly #leave = () => this.close();
  readonly #resized = () => this.enter();
  readonly #typed = (bytes: Buffer) => {
    for (const part of this.#filter.split(bytes)) {
      if (typeof part === "string") this.#command(part);
      else this.typed(part);
    }
  };
  #command(command: EscapeCommand): void {
    if (command === "quit") this.#wishes?.quit();
    else if (command === "save") this.#wishes?.save();
    else if (command === "power") this.machine.powerButton();
    else if (command === "reset") this.machine.reset();
    else this.print(command === "help" ? escapeHelp : this.#screen());
  }
  #screen(): string[] {
    const { text } = this.machine.screen;
    return text === "" ? ["(no text on the screen)"] : text.split("\n");
  }

  abstract show(): void;
  note(text: string): void {
    this.print([`castaway: ${text}`]);
  }
  /** Sets the terminal up, also after its size has changed. */
  protected abstract enter(): void;
  protected abstract leave(): void;
  /** Bytes for the guest. */
  protected abstract typed(bytes: Uint8Array): void;
  /** Lines of castaway's own. */
  protected abstract print(lines: readonly string[]): void;
}

/** Lines of castaway's own that stay at the bottom of the terminal. */
export interface Panel {
  /** How many lines it wants. */
  readonly height: number;
  /** So many lines, each at most `columns` characters wide beside control sequences, which it ends itself. */
  lines(columns: number): readonly string[];
}
export const statusPanel = (status: Status): Panel => ({
  height: 1,
  lines: (columns) => [inverse(` ${status.line()} | Ctrl-A h: help `.slice(0, columns))],
});
/** So many lines are the guest's, whatever a panel wants. */
const GUEST_LINES = 8;

export class SerialTerminal extends TerminalFront {
  readonly #panel: Panel | null;
  readonly #rest = new Rest();
  #bytes: number[] = [];
  #column = 0;
  #drawn = 0;
  /** Lines at the bottom that the panel has now. */
  #height = 0;

  /** @param panel null: the guest has the whole terminal */
  constructor(machine: Machine, tty: Tty, panel: Panel | null) {
    super(machine, tty);
    this.#panel = panel;
    machine.com1.onByte((byte) => this.#bytes.push(byte));
  }

  protected override typed(bytes: Uint8Array): void {
    this.machine.com1.type(Buffer.from(bytes).toString("latin1"));
  }
  #flush(): void {
    if (this.#bytes.length === 0) return;
    for (const byte of this.#bytes) {
      this.#rest.feed(byte);
      this.#column = byte === 0x0a || byte === 0x0d ? 0 : this.#column + 1;
    }
    this.out.write(Uint8Array.from(this.#bytes));
    this.#bytes = [];
  }
  override show(): void {
    this.#flush();
    const now = performance.now();
    if (this.#panel === null || now - this.#drawn < STATUS_EVERY || !this.#rest.reached) return;
    this.#drawn = now;
    if (this.#wanted !== this.#height) this.#resize();
    const top = this.out.rows - this.#height;
    const lines = this.#panel.lines(this.out.columns).slice(-this.#height);
    const drawn = lines.map((line, n) => ansi.cursorTo(0, top + n) + line + ansi.eraseEndLine);
    this.out.write(SAVE_CURSOR + drawn.join("") + RESTORE_CURSOR);
  }
  protected override print(lines: readonly string[]): void {
    this.#flush();
    if (this.#column > 0) this.out.write("\r\n");
    this.#column = 0;
    for (const line of lines) this.out.write(`${inverse(line)}\r\n`);
  }

  get #wanted(): number {
    return this.#panel === null ? 0 : Math.max(1, Math.min(this.#panel.height, this.out.rows - GUEST_LINES));
  }
  #resize(): void {
    this.#clear();
    this.enter();
  }
  /** The last lines are kept free by new ones, from which the cursor then goes up. */
  protected override enter(): void {
    if (this.#panel === null) return;
    this.#height = this.#wanted;
    const region = SAVE_CURSOR + scrollRegion(this.out.rows - this.#height) + RESTORE_CURSOR;
    this.out.write("\n".repeat(this.#height) + region + ansi.cursorUp(this.#height));
    this.#drawn = 0;
  }
  /** The whole terminal scrolls again, and nothing is left of the panel. */
  #clear(): void {
    if (this.#height === 0) return;
    const top = this.out.rows - this.#height;
    const lines = Array.from({ length: this.#height }, (_, n) => ansi.cursorTo(0, top + n) + ansi.eraseLine);
    this.out.write(SAVE_CURSOR + scrollRegion("") + lines.join("") + RESTORE_CURSOR);
  }
  protected override leave(): void {
    this.#clear();
    if (this.#column > 0) this.out.write("\r\n");
  }
}
