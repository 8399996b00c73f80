/** The VGA text screen in the user's terminal, and its keys as those of a PS/2 keyboard. */

import { emitKeypressEvents, type Key as HostKey } from "node:readline";
import { PassThrough } from "node:stream";
import ansi from "ansi-escapes";
import type { Key, Machine } from "castaway";
import type { Status } from "./status.ts";
import { TerminalFront, type Tty } from "./terminal.ts";

/** Milliseconds between two pictures. */
const EVERY = 50;

/** Keys that are no characters, by Node's names. */
const named: Record<string, Key> = {
  up: "ArrowUp",
  down: "ArrowDown",
  left: "ArrowLeft",
  right: "ArrowRight",
  home: "Home",
  end: "End",
  pageup: "PageUp",
  pagedown: "PageDown",
  insert: "Insert",
  delete: "Delete",
  ...Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`f${n + 1}`, `F${n + 1}` as Key])),
};
const modifiers = { ctrl: "ControlLeft", meta: "AltLeft", shift: "ShiftLeft" } as const;

/** Presses on the guest's keyboard what was pressed on the host's; what a US keyboard has not is left out. */
export function pressKey(keyboard: Machine["keyboard"], character: string | undefined, key: HostKey): void {
  const special = Object.hasOwn(named, key.name ?? "") ? named[key.name!] : undefined;
  if (special !== undefined) {
    const held = (["ctrl", "meta", "shift"] as const).filter((name) => key[name]).map((name) => modifiers[name]);
    keyboard.press(...held, special);
    return;
  }
  const text = character ?? withoutAlt(key.sequence ?? "");
  const printable = [...text].filter((c) => c <= "\x7f" && (c >= " " || c === "\x1b" || (c >= "\x01" && c <= "\x1a")));
  if (printable.length === 0) return;
  if (key.meta) keyboard.down("AltLeft");
  keyboard.type(printable.join(""));
  if (key.meta) keyboard.up("AltLeft");
}

/** A terminal sends ESC before what is typed with Alt. */
const withoutAlt = (sequence: string) => (sequence.length > 1 && sequence[0] === "\x1b" ? sequence.slice(1) : sequence);

export class ScreenTerminal extends TerminalFront {
  readonly #status: Status | null;
  readonly #keys = new PassThrough();
  /** What the terminal shows, line by line. */
  #shown: string[] = [];
  #drawn = 0;
  #message: readonly string[] = [];
  #messageUntil = 0;

  constructor(machine: Machine, tty: Tty, status: Status | null) {
    super(machine, tty);
    this.#status = status;
    emitKeypressEvents(this.#keys);
    this.#keys.on("keypress", (character, key) => pressKey(machine.keyboard, character, key));
  }

  protected override typed(bytes: Uint8Array): void {
    this.#keys.write(bytes);
  }
  override show(): void {
    const now = performance.now();
    if (now - this.#drawn < EVERY) return;
    this.#drawn = now;
    const lines = this.#lines(now).slice(0, this.out.rows);
    let text = "";
    for (let row = 0; row < Math.max(lines.length, this.#shown.length); row++) {
      const line = (lines[row] ?? "").trimEnd().slice(0, this.out.columns);
      if (line === this.#shown[row]) continue;
      this.#shown[row] = line;
      text += ansi.cursorTo(0, row) + line + ansi.eraseEndLine;
    }
    const cursor = this.machine.board.vga?.screen()?.cursor;
    const place = cursor ? ansi.cursorTo(cursor.column, cursor.row) + ansi.cursorShow : ansi.cursorHide;
    this.out.write(text + place);
  }
  #lines(now: number): string[] {
    const status = this.#status === null ? [] : [`-- ${this.#status.line()} | Ctrl-A h: help`];
    const screen = this.machine.board.vga?.screen();
    const below = now < this.#messageUntil ? this.#message : status;
    if (screen) return [...screen.lines, ...below];
    const picture = this.machine.screen.picture();
    const mode = picture === null ? "no display" : `graphics, ${picture.width} x ${picture.height}: no text to show`;
    return [`(${mode})`, ...below];
  }
  /** Lines of castaway's own stand below the screen for some seconds. */
  protected override print(lines: readonly string[]): void {
    this.#message = lines;
    this.#messageUntil = performance.now() + 8000;
  }

  protected override enter(): void {
    this.#shown = [];
    this.#drawn = 0;
    this.out.write(ansi.enterAlternativeScreen + ansi.clearScreen);
  }
  protected override leave(): void {
    this.out.write(ansi.cursorShow + ansi.exitAlternativeScreen);
  }
}
