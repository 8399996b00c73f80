/** Byte strings for the comparison: seeded, so that everybody compares the same ones. */
import { Random } from "@castaway/kit";
import { accepts, OpcodeMap } from "../../packages/cpu/src/core/opcodes.ts";
import { definitions } from "../../packages/cpu/src/isa/index.ts";
import type { Bits } from "./objdump.ts";

/** Bytes of chance; then NOPs, so that whatever was begun ends before the next string. */
const CHANCE = 15;
export const STRIDE = 32;

const MAP = new OpcodeMap(definitions);
const MODRMS = [...Array(256).keys()];
const ESCAPES = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]] as const;
const MANDATORY = /^(66|F2|F3)$/;
const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x66, 0x66, 0x67, 0x67, 0xf0, 0xf2, 0xf2, 0xf3, 0xf3];

type Append = (byte: number) => void;
/** How a string begins; the rest is random bytes. */
type Beginning = (random: Random, bits: Bits, append: Append) => void;

const somePrefixes: Beginning = (random, bits, append) => {
  for (let n = random.below(3); n > 0; n--) append(random.pick(PREFIXES));
  if (bits === 64 && random.below(2) === 0) append(0x40 + random.below(16));
};

const randomBytes: Beginning = () => {};
/** Random bytes are mostly opcodes of one byte: here a map is chosen first. */
const someMap: Beginning = (random, bits, append) => {
  somePrefixes(random, bits, append);
  const map = random.pick([0, 0, 0, 1, 1, 1, 2, 3] as const);
  for (const byte of ESCAPES[map]) append(byte);
};
/** Here a form, so that every one is met. */
const someForm: Beginning = (random, bits, append) => {
  const { form } = random.pick(MAP.entries);
  if (form.prefix && MANDATORY.test(form.prefix)) append(Number.parseInt(form.prefix, 16));
  if (form.prefix === null) somePrefixes(random, bits, append);
  else if (bits === 64 && random.below(2) === 0) append(0x40 + random.below(16));
  for (const byte of ESCAPES[form.map]) append(byte);
  append(form.byte + (form.plusR ? random.below(8) : 0));
  if (!form.modrm) return;
  const fitting = MODRMS.filter((modrm) => accepts(form, modrm));
  append(random.pick(fitting));
};
/** Perhaps longer than an instruction may be. */
const manyPrefixes: Beginning = (random, _bits, append) => {
  for (let n = 9 + random.below(6); n > 0; n--) append(random.pick(PREFIXES));
};

/** Strings for code of that width, `STRIDE` bytes each. */
export function byteStrings(bits: Bits, count: number): Uint8Array {
  const random = new Random(`decoder ${bits}`);
  const bytes = new Uint8Array(count * STRIDE).fill(0x90);
  for (let n = 0; n < count; n++) {
    let at = n * STRIDE;
    const end = at + CHANCE;
    const begin = n % 1000 === 0 ? manyPrefixes : random.pick([randomBytes, someMap, someForm]);
    begin(random, bits, (byte) => (bytes[at++] = byte));
    while (at < end) bytes[at++] = random.below(256);
  }
  return bytes;
}
