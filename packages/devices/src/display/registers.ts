/**
 * The registers of a VGA, ports 3B0h-3DFh: sequencer, CRT controller, graphics controller, attribute controller, DAC.
 * [VGA] = IBM, "Personal System/2 Hardware Interface Technical Reference", 1992, "Video Subsystem".
 */
import { bytes, flag, record, type StateOf, u8 } from "@castaway/kit";
import { bytewise } from "../bytewise.ts";
import type { RegisterSpace } from "../device.ts";

/** Sequencer, by index ([VGA] "Sequencer Registers"). */
export const SEQ = { RESET: 0, CLOCKING: 1, MAP_MASK: 2, CHARACTER_MAP: 3, MEMORY_MODE: 4 } as const;
/** Graphics controller ([VGA] "Graphics Controller Registers"). */
// biome-ignore format: a table
export const GC = {
  SET_RESET: 0, ENABLE_SET_RESET: 1, COLOR_COMPARE: 2, ROTATE: 3, READ_MAP: 4, MODE: 5, MISC: 6, DONT_CARE: 7, BIT_MASK: 8,
} as const;
/** Attribute controller; 0 to 15 are the palette ([VGA] "Attribute Controller Registers"). */
export const ATTR = { MODE: 0x10, OVERSCAN: 0x11, PLANES: 0x12, PANNING: 0x13, COLOR_SELECT: 0x14 } as const;
/** CRT controller ([VGA] "CRT Controller Registers"); OVERFLOW holds upper bits of others. */
// biome-ignore format: a table
export const CRTC = {
  TOTAL: 0x00, DISPLAY_END: 0x01, VERTICAL_TOTAL: 0x06, OVERFLOW: 0x07, MAX_SCAN: 0x09, CURSOR_START: 0x0a, CURSOR_END: 0x0b,
  START_HIGH: 0x0c, START_LOW: 0x0d, CURSOR_HIGH: 0x0e, CURSOR_LOW: 0x0f, RETRACE_START: 0x10, RETRACE_END: 0x11,
  VERTICAL_DISPLAY_END: 0x12, OFFSET: 0x13, MODE: 0x17, LINE_COMPARE: 0x18,
} as const;

/** Bits that exist, by index; the other indices hold nothing ([VGA], the sections of {@link SEQ} and so on). */
const SEQ_BITS = Uint8Array.of(0x03, 0x3d, 0x0f, 0x3f, 0x0e);
const GC_BITS = Uint8Array.of(0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff);
const ATTR_BITS = Uint8Array.of(...new Array(16).fill(0x3f), 0xef, 0xff, 0x3f, 0x0f, 0x0f);
const CRTC_BITS = new Uint8Array(25).fill(0xff);
/** CRTC 0-7 cannot be written while bit 7 of RETRACE_END is set, but for line compare's bit 8 ([VGA] "Vertical Retrace End"). */
const PROTECT = 0x80;
const LINE_COMPARE_8 = 0x10;

/** Misc output ([VGA] "General Registers"): the CRTC is at 3Dxh, memory is decoded. */
export const COLOR = 0x01;
export const RAM_ENABLED = 0x02;
/** Attribute index: the palette belongs to the display, which shows something ([VGA] "Address Register", bit 5). */
export const PAS = 0x20;

export const vgaRegistersState = record({
  misc: u8,
  feature: u8,
  enable: u8,
  seqIndex: u8,
  seq: bytes(SEQ_BITS.length),
  crtcIndex: u8,
  crtc: bytes(CRTC_BITS.length),
  gcIndex: u8,
  gc: bytes(GC_BITS.length),
  attrIndex: u8,
  /** Whether port 3C0h takes data next. */
  attrData: flag,
  attr: bytes(ATTR_BITS.length),
  dacMask: u8,
  dacRead: u8,
  dacWrite: u8,
  /** Which component of a colour comes next. */
  dacStep: u8,
  /** 3: port 3C7h was written last, 0: port 3C8h. */
  dacMode: u8,
  /** Components that were written, until all three have been. */
  dacPart: bytes(3),
  dac: bytes(768),
});
export type VgaRegistersState = StateOf<typeof vgaRegistersState>;

export class VgaRegisters {
  readonly seq = new Uint8Array(SEQ_BITS.length);
  readonly crtc = new Uint8Array(CRTC_BITS.length);
  readonly gc = new Uint8Array(GC_BITS.length);
  readonly attr = new Uint8Array(ATTR_BITS.length);
  /** Red, green, blue of 256 colours, of 6 bits or 8. */
  readonly dac = new Uint8Array(768);
  misc = 0;
  attrIndex = 0;
  dacMask = 0xff;
  /** Whether the DAC's components have 8 bits; the DISPI interface decides. */
  dac8 = false;

  /** Ports 3B0h-3DFh. */
  readonly ports: RegisterSpace = bytewise(
    (offset) => this.#read(0x3b0 + offset),
    (offset, value) => this.#write(0x3b0 + offset, value),
  );

  readonly #status1: () => number;
  #feature = 0;
  #enable = 1;
  #seqIndex = 0;
  #crtcIndex = 0;
  #gcIndex = 0;
  #attrData = false;
  #dacRead = 0;
  #dacWrite = 0;
  #dacStep = 0;
  #dacMode = 0;
  readonly #dacPart = new Uint8Array(3);

  /** @param status1 what input status 1 reads as: display disabled in bit 0, vertical retrace in bit 3 */
  constructor(status1: () => number) {
    this.#status1 = status1;
  }

  reset(): void {
    for (const registers of [this.seq, this.crtc, this.gc, this.attr, this.dac, this.#dacPart]) registers.fill(0);
    this.misc = this.attrIndex = 0;
    this.dacMask = 0xff;
    this.#feature = this.#seqIndex = this.#crtcIndex = this.#gcIndex = 0;
    this.#enable = 1;
    this.#attrData = false;
    this.#dacRead = this.#dacWrite = this.#dacStep = this.#dacMode = 0;
  }

  save(): VgaRegistersState {
    return {
      misc: this.misc,
      feature: this.#feature,
      enable: this.#enable,
      seqIndex: this.#seqIndex,
      seq: this.seq.slice(),
      crtcIndex: this.#crtcIndex,
      crtc: this.crtc.slice(),
      gcIndex: this.#gcIndex,
      gc: this.gc.slice(),
      attrIndex: this.attrIndex,
      attrData: this.#attrData,
      attr: this.attr.slice(),
      dacMask: this.dacMask,
      dacRead: this.#dacRead,
      dacWrite: this.#dacWrite,
      dacStep: this.#dacStep,
      dacMode: this.#dacMode,
      dacPart: this.#dacPart.slice(),
      dac: this.dac.slice(),
    };
  }

  restore(state: VgaRegistersState): void {
    this.misc = state.misc;
    this.#feature = state.feature;
    this.#enable = state.enable;
    this.#seqIndex = state.seqIndex;
    this.seq.set(state.seq);
    this.#crtcIndex = state.crtcIndex;
    this.crtc.set(state.crtc);
    this.#gcIndex = state.gcIndex;
    this.gc.set(state.gc);
    this.attrIndex = state.attrIndex;
    this.#attrData = state.attrData;
    this.attr.set(state.attr);
    this.dacMask = state.dacMask;
    this.#dacRead = state.dacRead;
    this.#dacWrite = state.dacWrite;
    this.#dacStep = state.dacStep % 3;
    this.#dacMode = state.dacMode;
    this.#dacPart.set(state.dacPart);
    this.dac.set(state.dac);
  }

  /** A number of the CRTC whose bits 8 and 9 are in OVERFLOW (`bit8`, `bit9`: where). */
  wide(index: number, bit8: number, bit9: number): number {
    const overflow = this.crtc[CRTC.OVERFLOW];
    return this.crtc[index] | (((overflow >> bit8) & 1) << 8) | (((overflow >> bit9) & 1) << 9);
  }

  /** Lines that are displayed ([VGA] "Vertical Display-Enable End"). */
  get displayedLines(): number {
    return this.wide(CRTC.VERTICAL_DISPLAY_END, 1, 6) + 1;
  }

  /** Whether the memory holds pixels, not characters ([VGA] "Miscellaneous Register" of the graphics controller). */
  get graphics(): boolean {
    return (this.gc[GC.MISC] & 1) !== 0;
  }

  /** Whether the screen is dark: the palette is the CPU's, or the sequencer turned it off ([VGA] "Clocking Mode"). */
  get blanked(): boolean {
    return !(this.attrIndex & PAS) || (this.seq[SEQ.CLOCKING] & 0x20) !== 0;
  }

  #read(port: number): number {
    switch (this.#claimed(port)) {
      case 0x3c0:
        return this.attrIndex;
      case 0x3c1:
        return this.attr[this.attrIndex & 0x1f] ?? 0;
      case 0x3c2: // input status 0: a monitor is there
        return 0x10;
      case 0x3c3:
        return this.#enable;
      case 0x3c4:
        return this.#seqIndex;
      case 0x3c5:
        return this.seq[this.#seqIndex] ?? 0;
      case 0x3c6:
        return this.dacMask;
      case 0x3c7:
        return this.#dacMode;
      case 0x3c8:
        return this.#dacWrite;
      case 0x3c9:
        return this.#readColor();
      case 0x3ca:
        return this.#feature;
      case 0x3cc:
        return this.misc;
      case 0x3ce:
        return this.#gcIndex;
      case 0x3cf:
        return this.gc[this.#gcIndex] ?? 0;
      case 0x3d4:
        return this.#crtcIndex;
      case 0x3d5:
        return this.crtc[this.#crtcIndex] ?? 0;
      case 0x3da: // input status 1; reading it makes port 3C0h take an index
        this.#attrData = false;
        return this.#status1();
      default:
        return 0xff;
    }
  }

  #write(port: number, value: number): void {
    switch (this.#claimed(port)) {
      case 0x3c0:
        return this.#writeAttribute(value);
      case 0x3c2:
        this.misc = value & 0xef;
        return;
      case 0x3c3:
        this.#enable = value & 1;
        return;
      case 0x3c4:
        this.#seqIndex = value & 7;
        return;
      case 0x3c5:
        return store(this.seq, SEQ_BITS, this.#seqIndex, value);
      case 0x3c6:
        this.dacMask = value;
        return;
      case 0x3c7:
        this.#dacRead = value;
        this.#dacStep = 0;
        this.#dacMode = 3;
        return;
      case 0x3c8:
        this.#dacWrite = value;
        this.#dacStep = 0;
        this.#dacMode = 0;
        return;
      case 0x3c9:
        return this.#writeColor(value);
      case 0x3ce:
        this.#gcIndex = value & 0x0f;
        return;
      case 0x3cf:
        return store(this.gc, GC_BITS, this.#gcIndex, value);
      case 0x3d4:
        this.#crtcIndex = value & 0x1f;
        return;
      case 0x3d5:
        return this.#writeCrtc(value);
      case 0x3da:
        this.#feature = value & 0x10;
        return;
    }
  }

  /** The port as on a colour VGA, or 0 where misc output has put the CRTC elsewhere. */
  #claimed(port: number): number {
    if (port >= 0x3c0 && port < 0x3d0) return port;
    if (this.misc & COLOR) return port >= 0x3d0 ? port : 0;
    return port < 0x3c0 ? port + 0x20 : 0;
  }

  /** The CRTC's data. */
  #writeCrtc(value: number): void {
    const index = this.#crtcIndex;
    if (index < 8 && this.crtc[CRTC.RETRACE_END] & PROTECT) {
      if (index !== CRTC.OVERFLOW) return;
      this.crtc[index] = (this.crtc[index] & ~LINE_COMPARE_8) | (value & LINE_COMPARE_8);
    } else {
      store(this.crtc, CRTC_BITS, index, value);
    }
  }

  /** Port 3C0h: index and data in turns. The palette takes data only while the display does not use it. */
  #writeAttribute(value: number): void {
    const data = this.#attrData;
    this.#attrData = !data;
    if (!data) this.attrIndex = value & 0x3f;
    else if ((this.attrIndex & 0x1f) >= 0x10 || !(this.attrIndex & PAS))
      store(this.attr, ATTR_BITS, this.attrIndex & 0x1f, value);
  }

  /** Port 3C9h ([VGA] "Digital-to-Analog Converter"): three components a colour, then the next colour. */
  #readColor(): number {
    const value = this.dac[3 * this.#dacRead + this.#dacStep];
    this.#dacStep = (this.#dacStep + 1) % 3;
    if (this.#dacStep === 0) this.#dacRead = (this.#dacRead + 1) & 0xff;
    return value;
  }

  #writeColor(value: number): void {
    this.#dacPart[this.#dacStep] = this.dac8 ? value : value & 0x3f;
    this.#dacStep = (this.#dacStep + 1) % 3;
    if (this.#dacStep !== 0) return;
    this.dac.set(this.#dacPart, 3 * this.#dacWrite);
    this.#dacWrite = (this.#dacWrite + 1) & 0xff;
  }
}

function store(registers: Uint8Array, bits: Uint8Array, index: number, value: number): void {
  if (index < registers.length) registers[index] = value & bits[index];
}
