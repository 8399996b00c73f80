/** A stream between two machines on a switch, sent and received by a program of ours: stream.c drives their e1000. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ms, type Nanoseconds, readLittle, us, writeLittle } from "@castaway/kit";
import { Network } from "@castaway/net";
import { Machine, networkParty } from "castaway";
import { root } from "../../../../scripts/bundle.mjs";

/** What a stream reached, measured over virtual time at the receiver. */
export interface Stream {
  /** Bytes of payload in a frame: what follows its 14 bytes of header. */
  readonly payload: number;
  readonly frames: number;
  /** Frames whose number, length or contents are wrong: lost ones show as numbers that are missing. */
  readonly wrong: number;
  /** Share of the wire's bits that frames take, with header, and preamble, FCS and gap (24 bytes): what the wire can do is 1. */
  readonly utilisation: number;
  /** Share of the wire's bits that are payload: at most 1500/1538 or 9000/9038. */
  readonly goodput: number;
}

const romBytes = 0x1_0000;
const gigabit = 1_000_000_000;
const header = 14;
/** Preamble, FCS and gap. [802.3 3.1.1, 4.4.2] */
const overhead = 24;

/** Where stream.c looks for what it is asked, in its ROM, and where it tells, in memory. */
const asked = 0xff00;
const told = { ready: 0x7000, frames: 0x7004, wrong: 0x700c };

/** The program as a firmware. @param words what it is asked */
function firmware(...words: readonly number[]): Uint8Array {
  const bios = new Uint8Array(romBytes).fill(0xf4);
  bios.set(readFileSync(join(root, "test/system/net/stream/stream.bin")));
  for (const [n, word] of words.entries()) writeLittle(bios, asked + 4 * n, 4, word);
  bios.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0); // jmp F000:0000
  return bios;
}

const word = (pc: Machine, address: number): number => readLittle(pc.board.cpu.physical.ram, address, 4);

/**
 * Streams frames over cables of 1 Gbit/s for `duration`, after a start of 1 ms.
 * @param payload 1,500 or 9,000: the cables' MTU
 */
export function stream(payload: number, duration: Nanoseconds): Stream {
  const net = new Network({ seed: 1, link: { bandwidth: gigabit, mtu: payload } });
  const lan = net.switch({ ports: 2 });
  const window = payload > 1500 ? 12 : 48;
  const machines = [1, 0].map((sends, n) => {
    const port = net.socket(lan);
    const networkCards = [{ port, mac: `52:54:00:00:00:0${n + 1}` }];
    const bios = firmware(sends, payload, window);
    const pc = new Machine({ firmware: { bios }, memory: "4MiB", networkCards });
    net.join(networkParty(pc), port);
    return pc;
  });
  while (net.now < ms(10) && !machines.every((pc) => word(pc, told.ready) === 1)) net.run(us(100));
  net.run(ms(1));
  const [, receiver] = machines;
  const [before, start] = [word(receiver, told.frames), net.now];
  net.run(duration);
  const frames = word(receiver, told.frames) - before;
  const bits = ((net.now - start) * gigabit) / 1e9;
  return {
    payload,
    frames,
    wrong: word(receiver, told.wrong),
    utilisation: (frames * (header + payload + overhead) * 8) / bits,
    goodput: (frames * payload * 8) / bits,
  };
}
