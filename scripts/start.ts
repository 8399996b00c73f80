/**
 * `npm start`: a PC in this process. SeaBIOS boots Linux from the demo disk to a shell on the serial port, which is this
 * terminal. Ctrl-] ends it. Without a terminal it boots, shows what the machine prints, and ends.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ms, seconds } from "@castaway/kit";
import { demoMachine } from "../test/system/pc.ts";

const QUIT = "\x1d";

console.log(
  "castaway: SeaBIOS, SYSLINUX and Linux 6.1 on a PC in TypeScript. Ctrl-] ends it; try `check` or `poweroff -f`.\n",
);
const pc = demoMachine();
pc.com1.onByte((byte) => process.stdout.write(String.fromCharCode(byte)));
const start = performance.now();
const ready = pc.com1.shows("castaway# ");

function report(): void {
  const cpu = pc.board.cpu;
  const host = (performance.now() - start) / 1000;
  console.log(
    `\n\n${(cpu.retired / 1e6).toFixed(0)} million instructions, ${(pc.now / 1e9).toFixed(2)} s of virtual time, ${host.toFixed(1)} s here.`,
  );
}

async function interactive(): Promise<void> {
  let quit = false;
  process.stdin.setRawMode(true);
  process.stdin.on("data", (bytes: Buffer) => {
    const text = bytes.toString("latin1");
    if (text.includes(QUIT)) quit = true;
    else pc.com1.type(text);
  });
  let ahead = 0; // virtual time may run ahead of the terminal's only while the machine boots
  while (!quit) {
    const stop = pc.run({ atMost: ms(5) });
    if (stop.reason === "powered off") break;
    if (!ready.seen) ahead = pc.now - (performance.now() - start) * 1e6;
    const early = pc.now - ahead - (performance.now() - start) * 1e6;
    await sleep(Math.max(0, Math.min(50, early / 1e6)));
  }
  process.stdin.setRawMode(false);
  process.stdin.pause();
}

if (process.stdin.isTTY) await interactive();
else {
  const stop = pc.run({ until: ready, atMost: seconds(120) });
  if (stop.reason !== "watch") {
    console.error(`\nNo shell: ${stop.reason} ${stop.detail}`);
    process.exitCode = 1;
  }
}
report();
