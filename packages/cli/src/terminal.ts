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

export class SerialTerminal extends TerminalFront {
  readonly #status: Status | null;
  readonly #rest = new Rest();
  #bytes: number[] = [];
  #column = 0;
  #drawn = 0;

  /** @param status null: no status line */
  constructor(machine: Machine, tty: Tty, status: Status | null) {
    super(machine, tty);
    this.#status = status;
    machine.com1.onByte((byte) => this.#bytes.push(byte));
  }

  protected override typed(bytes: Uint8Array): void {
    this.machine.com1.type(Buffer.from(bytes).toString("latin1"));
  }
  override show(): void {
    if (this.#bytes.length > 0) {
      for (const byte of this.#bytes) {
        this.#rest.feed(byte);
        this.#column = byte === 0x0a || byte === 0x0d ? 0 : this.#column + 1;
      }
      this.out.write(Uint8Array.from(this.#bytes));
      this.#bytes = [];
    }
    const now = performance.now();
    if (this.#status === null || now - this.#drawn < STATUS_EVERY || !this.#rest.reached) return;
    this.#drawn = now;
    const line = ` ${this.#status.line()} | Ctrl-A h: help `.slice(0, this.out.columns);
    this.out.write(
      SAVE_CURSOR + ansi.cursorTo(0, this.out.rows - 1) + inverse(line) + ansi.eraseEndLine + RESTORE_CURSOR,
    );
  }
  protected override print(lines: readonly string[]): void {
    if (this.#column > 0) this.out.write("\r\n");
    this.#column = 0;
    for (const line of lines) this.out.write(`${inverse(line)}\r\n`);
  }

  /** The last line is kept free by a new one, from which the cursor then goes up. */
  protected override enter(): void {
    if (this.#status === null) return;
    const region = SAVE_CURSOR + scrollRegion(this.out.rows - 1) + RESTORE_CURSOR;
    this.out.write(`\n${region}${ansi.cursorUp(1)}`);
    this.#drawn = 0;
  }
  protected override leave(): void {
    if (this.#status !== null) {
      const clear = ansi.cursorTo(0, this.out.rows - 1) + ansi.eraseLine;
      this.out.write(SAVE_CURSOR + scrollRegion("") + clear + RESTORE_CURSOR);
    }
    if (this.#column > 0) this.out.write("\r\n");
  }
}
