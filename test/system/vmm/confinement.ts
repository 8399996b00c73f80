/**
 * A guest that is after the hypervisor: programs/confine.c loads, stores and lets the disk controller touch the memory that is
 * reserved; and somebody on the network sends what nobody asked for.
 */
import assert from "node:assert/strict";
import { mib, ms, Random, seconds } from "@castaway/kit";
import type { Laboratory } from "castaway";
import { vmmImage } from "../../../scripts/vmm.ts";
import { laboratory, staysBare, untilBare, verified } from "./deployment.ts";
import { programImage } from "./programs.ts";

const IMAGE = mib(2);
const MEMORY = mib(64);
const HIDDEN = mib(16);
/** Of AoE's flags. */
const RESPONSE = 8;
/** As in confine.c. */
const PATTERN = 0xc0de1e55;
const FIRST = 64;
/** Where it stores, in each page. */
const STORED = [8, 16];
const PAGE = 4096;
/** What it says: loads show nothing, what the controller is told to do there fails, honest commands go on. */
const SAID = [
  /^loads that showed something 0, stores that stayed \d+$/m,
  /^read across its beginning: failed$/m,
  /^write across its beginning: failed$/m,
  /^queued read into it: failed$/m,
  /^table in it: failed$/m,
  /^at the end: the sector is as it was$/m,
];

/** Every sector says where it belongs. */
function image(): Uint8Array {
  const bytes = programImage("confine", IMAGE);
  const words = new Uint32Array(bytes.buffer);
  for (let n = FIRST * 128; n < words.length; n++) words[n] = ((n >> 7) << 16) | (n & 127);
  return bytes;
}

export async function confines(): Promise<string> {
  const lab = await laboratory({
    image: image(),
    memory: MEMORY,
    link: { bandwidth: 100_000_000 },
    commandLine: { block: 4096, chunk: 4, pause: ms(5) },
  });
  const { com1 } = lab.machine;
  lab.run({ until: lab.reaches("streaming"), atMost: seconds(20) });
  const before = lab.machine.board.cpu.read(0, MEMORY);
  const forger = new Forger(lab);
  const [done, stopped] = [com1.shows("TRIED ALL"), com1.shows("STOPPED")];
  lab.run({ until: [done, stopped], atMost: seconds(20) });
  assert.ok(done.seen, `the guest does not end: ${com1.text}\n${lab.machine.debugLog.text.slice(-500)}`);
  assert.equal(lab.phase, "streaming");
  for (const line of SAID) assert.match(com1.text, line);
  assert.doesNotMatch(com1.text, /(into|from) it: done|has changed/);
  await untouched(lab, before, Number.parseInt(/hidden at +(\w+)/.exec(com1.text)![1]!, 16));
  untilBare(lab, seconds(30));
  staysBare(lab);
  verified(lab);
  assert.ok(forger.sent > 50, `only ${forger.sent} frames were forged`);
  return `${com1.text.match(/failed/g)!.length} commands failed, ${forger.sent} forged frames were dropped`;
}

/** The hypervisor's code is what it was, and what the guest stored is nowhere where it stored it. */
async function untouched({ machine }: Laboratory, before: Uint8Array, base: number): Promise<void> {
  const memory = machine.board.cpu.read(base, HIDDEN);
  const words = new Uint32Array(memory.buffer);
  // elsewhere there may be copies of the guest's registers and instructions
  for (let page = 0; page < HIDDEN; page += PAGE)
    for (const at of STORED) assert.notEqual(words[(page + at) / 4], PATTERN, `a store at ${page + at} has arrived`);
  const code = (await vmmImage()).lines.map(({ address }) => address);
  const [from, to] = [Math.min(...code), Math.max(...code)];
  assert.ok(to - from > 50_000);
  assert.deepEqual(memory.subarray(from, to), before.subarray(base + from, base + to), "its code has changed");
}

/** Answers each request on the deployment cable before the server does, with rubbish, and one thing wrong in the header. */
class Forger {
  sent = 0;
  readonly #random = new Random(6);

  constructor({ lan }: Laboratory) {
    const tap = lan.taps[0]!;
    tap.seen.on(({ frame, direction }) => {
      if (direction !== "in" || frame[12] !== 0x88 || frame[13] !== 0xa2 || frame[14]! & RESPONSE) return;
      this.sent++;
      tap.send(this.#forged(frame));
    });
  }

  /** [AoEr11 2]: stations, type, version and flags, error, shelf, slot, command, tag. */
  #forged(request: Uint8Array): Uint8Array {
    const random = this.#random;
    const frame = new Uint8Array(60 + 512 * random.below(3)).map(() => random.below(256));
    frame.set(request.subarray(0, 36));
    frame.set(request.subarray(6, 12), 0);
    frame.set(request.subarray(0, 6), 6);
    frame[14]! |= RESPONSE;
    const [station, version, shelf, slot, command, tag] = [11, 14, 17, 18, 19, 20];
    const wrong = [station, version, shelf, slot, command, tag, tag + 3][random.below(8)];
    if (wrong === undefined) return frame.subarray(0, 14 + random.below(22)); // too short for any answer
    frame[wrong]! ^= wrong === version ? 0x30 : 1 + random.below(255);
    return frame;
  }
}
