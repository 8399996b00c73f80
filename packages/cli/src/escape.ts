/** The escape key, Ctrl-A as in QEMU: what is typed for the guest, and what is typed for castaway. */

export const ESCAPE_KEY = 0x01;

export type EscapeCommand = "quit" | "power" | "reset" | "save" | "screen" | "help";

const commands: Record<string, EscapeCommand> = {
  x: "quit",
  p: "power",
  r: "reset",
  s: "save",
  t: "screen",
  h: "help",
  "?": "help",
};

export const escapeHelp = [
  "Ctrl-A x    quit",
  "Ctrl-A p    press the power button",
  "Ctrl-A r    press the reset button",
  "Ctrl-A s    save a snapshot",
  "Ctrl-A t    show the VGA screen as text",
  "Ctrl-A h    this help",
  "Ctrl-A Ctrl-A    send Ctrl-A",
];

/** Takes what is typed apart. A key that is no command after the escape key goes to nobody. */
export class EscapeFilter {
  #escaped = false;

  /** @returns bytes for the guest and commands, in their order */
  split(bytes: Uint8Array): (Uint8Array | EscapeCommand)[] {
    const parts: (Uint8Array | EscapeCommand)[] = [];
    let plain: number[] = [];
    const flush = () => {
      if (plain.length > 0) parts.push(Uint8Array.from(plain));
      plain = [];
    };
    for (const byte of bytes) {
      if (!this.#escaped) {
        if (byte === ESCAPE_KEY) this.#escaped = true;
        else plain.push(byte);
        continue;
      }
      this.#escaped = false;
      const command = commands[String.fromCharCode(byte).toLowerCase()];
      if (byte === ESCAPE_KEY) plain.push(byte);
      else if (command !== undefined) {
        flush();
        parts.push(command);
      }
    }
    flush();
    return parts;
  }
}
