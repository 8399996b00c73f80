import { type Clock, kib, us } from "@castaway/kit";
import * as assert from "uvu/assert";
import { Rig, twice } from "../twice.test-support.ts";
import { StdVga, type StdVgaState, stdVgaState } from "./stdvga.ts";

/** Register values of the BIOS's modes ([VGA] "BIOS mode tables"): misc, sequencer, CRTC, graphics, attribute controller. */
type Mode = { misc: number; seq: string; crtc: string; gc: string; attr: string };
const modes = {
  text: {
    misc: 0x67,
    seq: "03 00 03 00 02",
    crtc: "5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 1f 96 b9 a3 ff",
    gc: "00 00 00 00 00 10 0e 0f ff",
    attr: "00 01 02 03 04 05 14 07 38 39 3a 3b 3c 3d 3e 3f 0c 00 0f 08 00",
  },
  cga4: {
    misc: 0x63,
    seq: "03 09 03 00 02",
    crtc: "2d 27 28 90 2b 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 a2 ff",
    gc: "00 00 00 00 00 30 0f 0f ff",
    attr: "00 13 15 17 02 04 06 07 10 11 12 13 14 15 16 17 01 00 03 00 00",
  },
  planar: {
    misc: 0xe3,
    seq: "03 01 0f 00 06",
    crtc: "5f 4f 50 82 54 80 0b 3e 00 40 00 00 00 00 00 00 ea 8c df 28 00 e7 04 e3 ff",
    gc: "00 00 00 00 00 00 05 0f ff",
    attr: "00 01 02 03 04 05 14 07 38 39 3a 3b 3c 3d 3e 3f 01 00 0f 00 00",
  },
  chained: {
    misc: 0x63,
    seq: "03 01 0f 00 0e",
    crtc: "5f 4f 50 82 54 80 bf 1f 00 41 00 00 00 00 00 00 9c 8e 8f 28 40 96 b9 a3 ff",
    gc: "00 00 00 00 00 40 05 0f ff",
    attr: "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 41 00 0f 00 00",
  },
} satisfies Record<string, Mode>;

const bytesOf = (text: string) => text.split(" ").map((byte) => Number.parseInt(byte, 16));

class Display extends Rig<StdVgaState, StdVga> {
  constructor(hops: boolean, size = kib(256)) {
    super(stdVgaState, (clock: Clock) => new StdVga({ clock, memory: new Uint8Array(size) }), hops);
  }
  in(port: number, bytes = 1): number {
    const chip = this.step();
    return port < 0x3b0 ? chip.dispiPorts.read(port - 0x1ce, bytes) : chip.ports.read(port - 0x3b0, bytes);
  }
  out(port: number, value: number, bytes = 1): void {
    const chip = this.step();
    if (port < 0x3b0) chip.dispiPorts.write(port - 0x1ce, bytes, value);
    else chip.ports.write(port - 0x3b0, bytes, value);
  }
  /** Index and data in one access, as most programs do. */
  set(port: number, index: number, value: number): void {
    this.out(port, index | (value << 8), 2);
  }
  dispi(index: number, value: number): void {
    this.out(0x1ce, index, 2);
    this.out(0x1cf, value, 2);
  }
  dispiValue(index: number): number {
    this.out(0x1ce, index, 2);
    return this.in(0x1cf, 2);
  }
  store(address: number, value: number, bytes = 1): void {
    this.step().window.write(address - 0xa0000, bytes, value);
  }
  load(address: number, bytes = 1): number {
    return this.step().window.read(address - 0xa0000, bytes);
  }
  mode({ misc, seq, crtc, gc, attr }: Mode): void {
    this.out(0x3c2, misc);
    const { ports } = this.chip; // no hops here: there would be sixty
    const set = (port: number, index: number, value: number) => ports.write(port - 0x3b0, 2, index | (value << 8));
    for (const [index, value] of bytesOf(seq).entries()) set(0x3c4, index, value);
    set(0x3d4, 0x11, 0);
    for (const [index, value] of bytesOf(crtc).entries()) set(0x3d4, index, value);
    for (const [index, value] of bytesOf(gc).entries()) set(0x3ce, index, value);
    ports.read(0x2a, 1);
    for (const [index, value] of bytesOf(attr).entries()) {
      ports.write(0x10, 1, index);
      ports.write(0x10, 1, value);
    }
    ports.write(0x10, 1, 0x20);
  }
  /** Colour `n` has red n, green 2n, blue 3n (of 63). */
  colors(): void {
    this.out(0x3c8, 0);
    const { ports } = this.chip;
    for (let n = 0; n < 256; n++) for (const part of [n, 2 * n, 3 * n]) ports.write(0x19, 1, part & 63);
  }
  /** Red of the pixel, as 6 bits. */
  red(x: number, y: number): number {
    const { width, rgba } = this.chip.render();
    return rgba[4 * (y * width + x)] >> 2;
  }
}

twice("stdvga: registers", (test, hops) => {
  test("indexed registers keep the bits that exist ([VGA])", () => {
    const r = new Display(hops);
    r.out(0x3c2, 0xff);
    assert.is(r.in(0x3cc), 0xef);
    for (const [port, index, kept] of [
      [0x3c4, 0, 0x03],
      [0x3c4, 4, 0x0e],
      [0x3c4, 7, 0x00],
      [0x3ce, 5, 0x7b],
      [0x3ce, 8, 0xff],
      [0x3ce, 9, 0x00],
      [0x3d4, 0x18, 0xff],
      [0x3d4, 0x19, 0x00],
    ]) {
      r.set(port, index, 0xff);
      assert.is(r.in(port), index);
      assert.is(r.in(port + 1), kept, `port ${port.toString(16)} index ${index}`);
    }
  });

  test("misc output puts the CRTC at 3D4h or 3B4h, and nothing at the other", () => {
    const r = new Display(hops);
    r.set(0x3b4, 0x0a, 0x12);
    assert.is(r.in(0x3b5), 0x12);
    assert.is(r.in(0x3d5), 0xff);
    r.out(0x3c2, 1);
    assert.is(r.in(0x3b5), 0xff);
    assert.is(r.in(0x3d5), 0x12);
    r.set(0x3b4, 0x0a, 0x34);
    assert.is(r.in(0x3d5), 0x12);
  });

  test("CRTC 0 to 7 are protected, but for bit 8 of line compare", () => {
    const r = new Display(hops);
    r.out(0x3c2, 1);
    r.set(0x3d4, 0x11, 0x80);
    r.set(0x3d4, 0, 0x55);
    r.set(0x3d4, 7, 0xff);
    assert.is(r.in(0x3d5), 0x10);
    r.out(0x3d4, 0);
    assert.is(r.in(0x3d5), 0);
  });

  test("port 3C0h takes index and data in turns, an index after status 1 is read; the palette while it is free", () => {
    const r = new Display(hops);
    r.out(0x3c2, 1);
    r.in(0x3da);
    r.out(0x3c0, 5);
    r.out(0x3c0, 0xff);
    assert.is(r.in(0x3c1), 0x3f);
    r.out(0x3c0, 0x25);
    r.in(0x3da);
    r.out(0x3c0, 0x25);
    r.out(0x3c0, 0x11);
    assert.is(r.in(0x3c0), 0x25);
    assert.is(r.in(0x3c1), 0x3f);
    r.out(0x3c0, 0x30);
    r.out(0x3c0, 0xff);
    assert.is(r.in(0x3c1), 0xef);
  });

  test("the DAC takes and gives colours component by component", () => {
    const r = new Display(hops);
    r.out(0x3c8, 255);
    for (const part of [1, 2, 0xff, 4, 5, 6]) r.out(0x3c9, part);
    assert.is(r.in(0x3c8), 1, "it wraps");
    assert.is(r.in(0x3c7), 0);
    r.out(0x3c7, 255);
    assert.equal([0, 1, 2, 3, 4, 5].map(() => r.in(0x3c9)), [1, 2, 0x3f, 4, 5, 6]); // biome-ignore format: one line
    assert.is(r.in(0x3c7), 3);
    r.out(0x3c8, 7);
    r.out(0x3c9, 9);
    r.out(0x3c7, 7);
    assert.is(r.in(0x3c9), 0, "a colour is stored when it is complete");
  });

  test("status 1 follows the beam: 449 lines of 31.78 us, of which two are retrace", () => {
    const r = new Display(hops);
    r.mode(modes.text);
    let retrace = 0;
    let dark = 0;
    const samples = hops ? 500 : 4000;
    for (let i = 0; i < samples; i++) {
      r.after(us(28_538 / samples));
      const status = r.in(0x3da);
      retrace += (status >> 3) & 1;
      dark += status & 1;
    }
    assert.ok(Math.abs(retrace / samples - 2 / 449) < 0.003, `${retrace}`);
    assert.ok(Math.abs(dark / samples - (1 - (400 / 449) * (80 / 100))) < 0.02, `${dark}`);
  });

  test("reset: dark, no mode, and the memory stays", () => {
    const r = new Display(hops);
    r.mode(modes.text);
    r.store(0xb8000, 0x41);
    r.dispi(4, 0x81);
    r.step().reset();
    assert.is(r.dispiValue(4), 0);
    assert.is(r.in(0x3cc), 0);
    r.mode(modes.text);
    assert.is(r.load(0xb8000), 0x41);
  });
});

twice("stdvga: text", (test, hops) => {
  const write = (r: Display, row: number, column: number, text: string, attribute = 0x07) => {
    for (const [index, character] of [...text].entries()) {
      r.store(0xb8000 + 2 * (80 * row + column + index), character.charCodeAt(0) | (attribute << 8), 2);
    }
  };

  test("characters and cursor, in Unicode", () => {
    const r = new Display(hops);
    r.mode(modes.text);
    write(r, 0, 0, "Booting...");
    write(r, 24, 75, "\xc9\xcd\xbb\x01\xe1");
    r.set(0x3d4, 0x0e, 0);
    r.set(0x3d4, 0x0f, 83);
    const screen = r.step().screen()!;
    assert.is(screen.lines.length, 25);
    assert.ok(screen.lines.every((line) => line.length === 80));
    assert.is(screen.lines[0].trimEnd(), "Booting...");
    assert.is(screen.lines[24].trimStart(), "╔═╗☺ß");
    assert.equal(screen.cursor, { row: 1, column: 3 });
    r.set(0x3d4, 0x0a, 0x2d);
    assert.is(r.step().screen()!.cursor, null);
    assert.is(r.load(0xb8000, 4), 0x076f0742);
  });

  test("scrolling by the start address wraps in the memory", () => {
    const r = new Display(hops);
    r.mode(modes.text);
    write(r, 3, 0, "third");
    r.set(0x3d4, 0x0d, 160);
    assert.is(r.step().screen()!.lines[1].trimEnd(), "third");
    r.set(0x3d4, 0x0c, 0xff);
    r.set(0x3d4, 0x0d, 0xb0);
    assert.is(r.step().screen()!.lines[4].trimEnd(), "third");
  });

  test("a font loaded into plane 2 does not disturb the text, and draws it", () => {
    const r = new Display(hops);
    r.mode(modes.text);
    r.colors();
    write(r, 1, 2, "\xc4", 0x1c);
    r.set(0x3c4, 2, 4); // as every BIOS and kernel does it
    r.set(0x3c4, 4, 7);
    r.set(0x3ce, 4, 2);
    r.set(0x3ce, 5, 0);
    r.set(0x3ce, 6, 4);
    r.store(0xa0000 + 32 * 0xc4 + 7, 0b10000001);
    assert.is(r.load(0xa0000 + 32 * 0xc4 + 7), 0b10000001);
    r.set(0x3c4, 2, 3);
    r.set(0x3c4, 4, 2);
    r.set(0x3ce, 4, 0);
    r.set(0x3ce, 5, 0x10);
    r.set(0x3ce, 6, 0x0e);
    assert.is(r.step().screen()!.lines[1].trimEnd(), "  ─");
    const { width, height } = r.chip.render();
    assert.equal([width, height], [720, 400]);
    const row = Array.from({ length: 9 }, (_, x) => r.red(18 + x, 16 + 7));
    assert.equal(
      row,
      [0x3c, 1, 1, 1, 1, 1, 1, 0x3c, 0x3c],
      "attribute C is palette 3C; the ninth column repeats the eighth",
    );
    assert.is(r.red(18, 16 + 6), 1);
  });

  test("a blanked screen is black", () => {
    const r = new Display(hops);
    r.mode(modes.text);
    r.colors();
    write(r, 0, 0, " ", 0x70);
    assert.is(r.red(0, 5), 7);
    r.in(0x3da);
    r.out(0x3c0, 0x00);
    assert.is(r.red(0, 5), 0);
    assert.ok(r.step().screen());
  });
});

twice("stdvga: graphics", (test, hops) => {
  test("mode 12h: write modes, latches, read modes ([VGA] graphics controller)", () => {
    const r = new Display(hops);
    r.mode(modes.planar);
    r.colors();
    r.store(0xa0000, 0xf0); // all planes
    r.set(0x3c4, 2, 0b0101);
    r.store(0xa0001, 0x80);
    assert.equal([0, 4, 7, 8, 9].map((x) => r.red(x, 0)), [0x3f, 0, 0, 5, 0]); // biome-ignore format: one line
    assert.is(r.chip.screen(), null);

    r.set(0x3c4, 2, 0x0f);
    r.load(0xa0001);
    r.set(0x3ce, 5, 1); // mode 1: the latches
    r.store(0xa0002, 0x00);
    assert.is(r.red(16, 0), 5);

    r.set(0x3ce, 5, 2); // mode 2: a colour, through the bit mask
    r.set(0x3ce, 8, 0x0f);
    r.load(0xa0000);
    r.store(0xa0000, 0b0011);
    assert.equal([0, 3, 4, 7].map((x) => r.red(x, 0)), [0x3f, 0x3f, 3, 3]); // biome-ignore format: one line

    r.set(0x3ce, 5, 3); // mode 3: the data is one more bit mask
    r.set(0x3ce, 0, 0b0100);
    r.load(0xa0000);
    r.store(0xa0000, 0x88);
    assert.equal([0, 3, 4, 5].map((x) => r.red(x, 0)), [0x3f, 0x3f, 4, 3]); // biome-ignore format: one line

    r.set(0x3ce, 5, 0); // mode 0: set/reset in planes 0 and 1, XOR, rotated by one
    r.set(0x3ce, 8, 0xff);
    r.set(0x3ce, 1, 0b0011);
    r.set(0x3ce, 0, 0b0001);
    r.set(0x3ce, 3, 0x19);
    r.load(0xa0004);
    r.store(0xa0004, 0);
    r.load(0xa0004);
    r.store(0xa0004, 0b00000010);
    assert.is(r.load(0xa0004), 0x00, "plane 0: it was all ones already");
    r.set(0x3ce, 4, 2);
    assert.is(r.load(0xa0004), 0x01);

    r.set(0x3ce, 5, 8); // read mode 1: which pixels are colour 3, of the lower two planes
    r.set(0x3ce, 2, 3);
    r.set(0x3ce, 7, 3);
    assert.is(r.load(0xa0000), 0b11110111);
  });

  test("mode 13h is linear, 320 by 200", () => {
    const r = new Display(hops);
    r.mode(modes.chained);
    r.colors();
    r.store(0xa0000 + 320 * 199 + 319, 33);
    r.store(0xa0000, 0x04030201, 4);
    assert.is(r.load(0xa0000, 4), 0x04030201);
    const { width, height } = r.step().render();
    assert.equal([width, height], [320, 200]);
    assert.equal([0, 1, 2, 3].map((x) => r.red(x, 0)), [1, 2, 3, 4]); // biome-ignore format: one line
    assert.is(r.red(319, 199), 33);
    assert.is(r.load(0xb0000), 0xff, "the window is 64 KiB");
  });

  test("the CGA's four colours: pairs of bits, odd lines 8 KiB further", () => {
    const r = new Display(hops);
    r.mode(modes.cga4);
    r.colors();
    r.store(0xb8000, 0b00011011);
    r.store(0xb8001, 0b11000000);
    r.store(0xba000 + 80, 0b01000000);
    const { width, height } = r.step().render();
    assert.equal([width, height], [320, 200]);
    assert.equal([0, 1, 2, 3, 4, 5].map((x) => r.red(x, 0)), [0, 0x13, 0x15, 0x17, 0x17, 0]); // biome-ignore format: one line
    assert.is(r.red(0, 3), 0x13);
  });
});

twice("stdvga: Bochs display interface", (test, hops) => {
  const setMode = (r: Display, width: number, height: number, bpp: number, flags = 0x41) => {
    r.dispi(4, 0);
    for (const [index, value] of [width, height, bpp].entries()) r.dispi(index + 1, value);
    r.dispi(4, flags);
    r.in(0x3da);
    r.out(0x3ba, 0);
    r.out(0x3c0, 0x20);
  };

  test("ids, sizes and what is possible", () => {
    const r = new Display(hops);
    assert.is(r.dispiValue(0), 0xb0c5);
    r.dispi(0, 0xb0c0);
    assert.is(r.dispiValue(0), 0xb0c0);
    r.dispi(0, 0xb0c6);
    assert.is(r.dispiValue(0), 0xb0c0);
    assert.is(r.dispiValue(10), 4, "256 KiB in units of 64 KiB");
    r.dispi(4, 2);
    assert.equal([1, 2, 3].map((index) => r.dispiValue(index)), [16000, 12000, 32]); // biome-ignore format: one line
    assert.is(r.in(0x1ce), 0xff, "bytes are nothing to it");
    assert.is(r.dispiValue(11), 0);
  });

  test("linear modes of 8 to 32 bits", () => {
    for (const [bpp, pixel, red] of [
      [8, [0x21], 0x21],
      [15, [0x00, 0x40], 0x21],
      [16, [0x00, 0x80], 0x21],
      [24, [0, 0, 0x84], 0x21],
      [32, [0, 0, 0x84, 0], 0x21],
    ] as const) {
      const r = new Display(hops);
      r.colors();
      setMode(r, 320, 200, bpp);
      const at = pixel.length * (320 * 10 + 5);
      for (const [index, byte] of pixel.entries()) r.step().frameBuffer.write(at + index, 1, byte);
      const picture = r.step().render();
      assert.equal([picture.width, picture.height], [320, 200]);
      assert.is(r.red(5, 10), red, `${bpp} bits`);
      assert.is(r.red(6, 10), 0);
      assert.is(r.chip.render(picture), picture, "a picture of the same size is used again");
      assert.is(r.chip.screen(), null);
    }
  });

  test("virtual size and offset: scrolling, and back to 0 where it would leave the memory", () => {
    const r = new Display(hops);
    r.colors();
    setMode(r, 320, 200, 8);
    assert.is(r.dispiValue(6), 320);
    assert.is(r.dispiValue(7), Math.floor(kib(256) / 320));
    r.dispi(6, 647);
    assert.is(r.dispiValue(6), 640);
    r.dispi(8, 4);
    r.dispi(9, 3);
    r.step().frameBuffer.write(640 * 3 + 4, 1, 0x11);
    assert.is(r.red(0, 0), 0x11);
    r.dispi(9, 60000);
    assert.is(r.dispiValue(9), 0);
  });

  test("the bank window moves over the memory; the last bank is the last", () => {
    const r = new Display(hops);
    setMode(r, 640, 480, 8);
    r.dispi(5, 3);
    r.store(0xa1234, 0x5a);
    assert.is(r.step().frameBuffer.read(0x31234, 1), 0x5a);
    assert.is(r.load(0xa1234), 0x5a);
    r.dispi(5, 0xfff);
    assert.is(r.dispiValue(5), 3);
    assert.is(r.load(0xb8000), 0xff);
  });

  test("planar mode through banks", () => {
    const r = new Display(hops);
    r.mode(modes.planar);
    r.colors();
    setMode(r, 800, 600, 4);
    r.dispi(5, 0);
    r.store(0xa0000 + 100, 0x80);
    assert.is(r.red(0, 1), 0x3f);
    assert.is(r.red(1, 1), 0);
    r.dispi(5, 100);
    assert.is(r.dispiValue(5), 0, "each bank holds 64 Ki addresses of four planes");
  });

  test("a mode begins black unless asked otherwise; a DAC of 8 bits keeps them", () => {
    const r = new Display(hops);
    r.step().frameBuffer.write(0, 4, 0x01010101);
    setMode(r, 64, 64, 8, 0xc1);
    assert.is(r.step().frameBuffer.read(0, 4), 0x01010101);
    setMode(r, 64, 64, 8, 0x61);
    assert.is(r.step().frameBuffer.read(0, 4), 0);
    r.out(0x3c8, 0);
    for (let i = 0; i < 3; i++) r.out(0x3c9, 0xff);
    assert.is(r.step().render().rgba[0], 0xff);
    r.dispi(4, 0x41);
    r.out(0x3c8, 0);
    r.out(0x3c9, 0xff);
    r.out(0x3c9, 0);
    r.out(0x3c9, 0);
    assert.is(r.step().render().rgba[0], 0xff);
    r.out(0x3c7, 0);
    assert.is(r.in(0x3c9), 0x3f);
  });

  test("MMIO mirrors the VGA ports from 3C0h on, and the DISPI registers", () => {
    const r = new Display(hops);
    const { mmio } = r.step();
    assert.is(mmio.read(0x500, 2), 0xb0c5);
    mmio.write(0x502, 2, 320);
    mmio.write(0x504, 4, 800 | (32 << 16));
    mmio.write(0x508, 2, 0x41);
    assert.is(r.dispiValue(2), 204, "as many lines as the memory holds");
    assert.is(r.dispiValue(3), 32);
    assert.is(r.step().mmio.read(0x502, 4), 320 | (204 << 16));
    r.chip.mmio.write(0x402, 1, 0x67);
    assert.is(r.in(0x3cc), 0x67);
    assert.is(r.chip.mmio.read(0x40c, 1), 0x67);
    assert.is(r.chip.mmio.read(0x600, 4), 8);
    assert.is(r.chip.mmio.read(0x604, 4), 0x1e1e1e1e);
    assert.is(r.chip.mmio.read(0, 4), 0, "no EDID");
    r.chip.mmio.write(0x508, 1, 0);
    assert.is(r.dispiValue(4), 0x41);
  });
});

twice("stdvga: hostile guests", (test, hops) => {
  test("no value of any register throws or makes a picture larger than the memory allows", () => {
    if (hops) return;
    const r = new Display(false, kib(256));
    let seed = 1;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    for (let i = 0; i < 30_000; i++) {
      const size = [1, 2, 4][random(3)];
      const value = (random(0x10000) | (random(0x10000) << 16)) >>> 0;
      const spaces = [r.chip.ports, r.chip.dispiPorts, r.chip.mmio, r.chip.window, r.chip.frameBuffer];
      const space = spaces[random(5)];
      const offset = random([0x30, 3, 0x1000, 0x20000, 0x40000][spaces.indexOf(space)]);
      if (random(3)) space.write(offset, size, value);
      const read = space.read(offset, size);
      assert.ok(read >= 0 && read < 2 ** (8 * size) && Number.isInteger(read), `${offset} ${size} ${read}`);
      if (i % 500 === 0) {
        const { width, height } = r.chip.render();
        assert.ok(width * height <= 2 * kib(256) + 720 * 2048, `${width} ${height}`);
        r.chip.screen();
        r.after(us(100));
      }
    }
  });
});
