/** The monitor, seen from outside. */
import type { Picture, StdVga } from "@castaway/devices";
import type { Watch } from "./console.ts";

export class Display {
  readonly #vga: StdVga | null;

  /** @param vga null: the machine has no display; then there is no text, and no picture */
  constructor(vga: StdVga | null) {
    this.#vga = vga;
  }

  /** The text on the screen line by line; none in a graphics mode. */
  get lines(): readonly string[] {
    return this.#vga?.screen()?.lines ?? [];
  }
  /** The lines as one text, without blanks at their ends. */
  get text(): string {
    return this.lines
      .map((line) => line.trimEnd())
      .join("\n")
      .trimEnd();
  }
  /** The picture in RGBA, into `reuse` if its size fits; null without a display. */
  picture(reuse?: Picture): Picture | null {
    return this.#vga?.render(reuse) ?? null;
  }
  /** Waits for a text on the screen. */
  shows(text: string): Watch {
    const watch = {
      name: text,
      seen: false,
      look: () => {
        watch.seen ||= this.lines.some((line) => line.includes(text));
      },
    };
    return watch;
  }
}
